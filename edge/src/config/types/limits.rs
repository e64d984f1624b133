//! `[limits.NAME]`: limits that routes choose.

use std::time::Duration;

use super::Rate;
use crate::cidr::Cidr;

/// A limit with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedLimit {
    /// The name in the file, in `RateLimit` fields and in the log.
    pub name: String,
    /// Whom it counts as one.
    pub key: LimitKey,
    /// Requests over time.
    pub rate: Option<Rate>,
    /// What is over the rate waits its turn, at most this long, instead of being refused.
    pub delay: Option<Duration>,
    /// Event streams and WebSockets opened over time.
    pub opens: Option<Rate>,
    /// Requests at once.
    pub concurrent: Option<u32>,
    /// Event streams and WebSockets at once.
    pub streams: Option<u32>,
    /// One count for all routes that name it, instead of one for each.
    pub shared: bool,
    /// Nothing is refused: what would be is said in the log.
    pub dry_run: bool,
    /// Clients are told what is left of the rate, also when they are admitted.
    pub headers: bool,
    /// Clients it does not count.
    pub exempt: Vec<Cidr>,
}

/// Whom a limit counts as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitKey {
    /// The client's address (IPv6: its network).
    Address,
    /// The value of `Authorization`.
    Token,
    /// Who asks, as the route has made sure of it.
    User,
    /// What the token of the request says under this name.
    Claim(Box<str>),
    /// The value of a field.
    Header(Box<str>),
    /// The value of a cookie.
    Cookie(Box<str>),
    /// Everybody together.
    Everybody,
}

/// Who may use a route, by address.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Access {
    /// Nobody else, unless empty.
    pub allow: Vec<Cidr>,
    /// Nobody of these.
    pub deny: Vec<Cidr>,
}

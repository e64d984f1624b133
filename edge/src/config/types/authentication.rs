//! What a route asks of its clients before it acts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Jwt, KeyNames, UpstreamId, Users};

/// Everything that is asked; a request must satisfy all of it.
#[derive(Clone, Debug, Default)]
pub struct Authentication {
    /// A key.
    pub keys: Option<Arc<ApiKeys>>,
    /// A token of an authorization server.
    pub jwt: Option<Arc<Jwt>>,
    /// A name and a password.
    pub basic: Option<Arc<BasicAuth>>,
    /// A service that is asked about every request.
    pub request: Option<Arc<AuthRequest>>,
}

impl Authentication {
    /// Whether anybody may ask.
    pub fn is_none(&self) -> bool {
        self.keys.is_none() && self.jwt.is_none() && self.basic.is_none() && self.request.is_none()
    }
}

/// `[host.route.basic_auth]`: names and passwords (RFC 7617).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicAuth {
    /// What they are for, as browsers show it.
    pub realm: String,
    /// The file of the users.
    pub file: PathBuf,
    /// What is in it, once [`super::Config::read_secrets`] has read it; nobody before.
    pub users: Arc<Users>,
}

/// `[host.route.api_keys]`: keys that have names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeys {
    /// The field that holds the key, in lower case; in `authorization` it is a bearer token.
    pub field: Box<str>,
    /// The file of keys.
    pub file: Option<PathBuf>,
    /// Keys that stand in the configuration itself.
    pub inline: Arc<KeyNames>,
    /// These and what is in the file, once [`super::Config::read_secrets`] has read it.
    pub names: Arc<KeyNames>,
}

/// `[host.route.auth_request]`: a service that is asked about every request, and what passes both
/// ways. Names of fields are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthRequest {
    /// Where it is.
    pub upstream: UpstreamId,
    /// The path, with the query if there is one, that it is asked for.
    pub path: String,
    /// Fields of the request that it sees.
    pub request_fields: Vec<Box<str>>,
    /// Fields of its refusal that the client sees.
    pub refusal_fields: Vec<Box<str>>,
    /// Fields of its consent that the upstream sees, and never those of the client.
    pub upstream_fields: Vec<Box<str>>,
    /// The field of its consent that names the user.
    pub user_field: Option<Box<str>>,
    /// For its answer.
    pub timeout: Duration,
    /// For how long an answer stands for requests that are alike.
    pub cache: Option<Duration>,
    /// What makes two requests alike.
    pub cache_key: Vec<RequestPart>,
}

/// A part of a request, as the file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestPart {
    /// `address`: the client's address.
    Address,
    /// `host`: the host asked for.
    Host,
    /// `method`: the method.
    Method,
    /// `uri`: path and query.
    Uri,
    /// `header:NAME`: a field.
    Header(Box<str>),
    /// `cookie:NAME`: a cookie.
    Cookie(Box<str>),
}

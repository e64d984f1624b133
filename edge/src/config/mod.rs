//! The configuration: TOML text to a [`Config`] that cannot be wrong.
//!
//! The file is parsed to a tree with places, walked section by section against `schema`, and every
//! value goes through a parser of its kind. A walk, rather than serde, because serde stops at the
//! first thing that is wrong, and an operator wants all of it: each error with line, mark, fix and
//! the nearest valid name. A configuration is whole and valid or is not there at all.

mod item;
mod load;
pub mod nginx;
mod read;
mod report;
mod schema;
mod secrets;
mod show;
mod source;
mod suggest;
mod table;
mod types;
mod value;

#[cfg(test)]
mod tests;

pub use load::Loaded;
pub use report::{ConfigErrors, Diagnostic, Severity};
pub use schema::json_schema;
pub use secrets::SecretError;
pub use types::{
    Access, Action, ApiKeys, Argon2id, Attempt, AuthRequest, Authentication, BasicAuth, Bounds,
    CacheRules, Certificate, Change, Check, ClientAuth, ClientField, Coding, CompressRules, Config,
    DEFAULT_ADMIN_SOCKET, DEFAULT_PATH, DEFAULT_PIN, Ejection, ErrorPage, FieldMatch, FieldRule,
    FieldWant, FilesAction, Forwarding, Fragments, Host, HostName, Jwt, KeyNames, LimitKey, Listen,
    Log, LogField, LogFields, LogFormat, LogTarget, Maintenance, Mcp, McpKey, McpLimit,
    Multiplexing, NameLimit, NamedLimit, Ocsp, PasswordHash, PathMatch, Penalty, PerAddress, Piece,
    Policy, Protocol, ProxyAction, Quic, Rate, RedirectAction, RequestLimit, RequestPart,
    RespondAction, RetryPolicy, Rewrite, Route, RouteMatch, Secrets, Shield, ShieldMode, Steer,
    Template, Timeouts, Tls, TlsVersion, Tracing, Upstream, UpstreamAddr, UpstreamId,
    UpstreamServer, UpstreamTls, UpstreamTlsContent, Users, Variable, Weights,
};
pub(crate) use value::usable_addresses;
pub use value::{Invalid, NamePattern, NameRules, format_duration, parse_duration};

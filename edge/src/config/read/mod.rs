//! One file per section: the walk from the parsed file to the validated types.
//!
//! Each default and each bound stands here once, beside the key it belongs to.

mod action;
mod auth_request;
mod authentication;
mod balance;
mod bounds;
mod cache;
mod compress;
mod conditions;
mod credentials;
mod error_page;
mod files;
mod forwarding;
mod headers;
mod host;
mod jwt;
mod limit;
mod limits;
mod listen;
mod lists;
mod log;
mod machine;
mod maintenance;
mod mcp;
mod output;
mod quic;
mod rate;
mod redirect;
mod respond;
mod route;
mod server;
mod shield;
mod syntax;
mod timeouts;
mod tls;
mod top;
mod trace;
mod upstream;
mod upstream_tls;

pub(super) use machine::Machine;
pub(super) use tls::Places;
pub(super) use top::read;

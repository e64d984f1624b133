//! What operators read when a file is wrong.

mod auth;
mod balance;
mod content;
mod files;
mod keys;
mod maintenance;
mod mcp;
mod proxies;
mod routing;
mod syntax;
mod together;
mod trace;
mod values;

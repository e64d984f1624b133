//! What operators read when a file is wrong.

mod auth;
mod balance;
mod content;
mod every_key;
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

//! The appliance: a library so that tests and tools can reach every plane, and the `edge` binary.
//!
//! A folder is a plane; dependencies point down this list only. `ARCHITECTURE.md` follows a packet,
//! a connection, a request and a byte of body through them.

pub mod cli;
pub mod server;

pub mod http;
pub mod proxy;
pub mod upstream;

pub mod auth;
pub mod content;
pub mod limit;
pub mod mcp;
pub mod message;

#[allow(unsafe_code, reason = "BPF maps and programs are raw kernel memory")]
pub mod kernel;
#[allow(
    unsafe_code,
    reason = "socket options and owned buffers shared with the kernel"
)]
pub mod net;
pub mod quic;
pub mod tls;

pub mod config;
pub mod observe;

pub mod cidr;
pub mod clock;
pub mod copying;
pub mod files;
mod outbound;

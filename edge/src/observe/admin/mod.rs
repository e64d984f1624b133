//! The admin socket: how `edge ban` and its siblings reach a running edge.
//!
//! A Unix stream socket that only its owner and group may connect to. A client writes one JSON
//! request a line and gets one JSON reply a line. The server decides nothing: it checks the form of
//! a request and passes it on as a [`Call`] to whoever owns the kernel program.

mod client;
mod protocol;
mod server;
mod shield;
mod socket;

pub use client::{CallError, call};
pub use protocol::{
    BAN_MAX, Ban, Banned, CIDRS_MAX, IMPORT_MAX, Reloaded, Reply, Request, ShieldStatus, Status,
    Switch, Switched, Unbanned, one_line,
};
pub use server::{Answer, Call, serve};
pub use shield::{Care, Changed, Entry, Imported, Left, ListName, NewBan, Source, Top, Verdicts};
pub use socket::{Socket, SocketError};

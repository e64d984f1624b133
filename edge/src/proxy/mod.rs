//! What happens to a request, whichever protocol brought it: host, route, guards, upstream, and the
//! pump that moves both bodies.

mod account;
mod answer;
mod configured;
mod drain;
mod exchange;
mod forward;
mod guard;
mod mcp;
mod pass;
mod relay;
mod reply;
mod router;
mod service;
mod snapshot;

pub use configured::Proxy;
pub use drain::Drain;
pub use exchange::{ClientError, Downstream, Exchange, Peer};
pub use router::{Match, Router};
pub use service::{BanSender, Service, WorkerParts};
pub use snapshot::Snapshot;

//! The client side: connections that call, in a closed loop or at a fixed rate, connections that hold
//! event streams open, and clients that are slow. HTTP/1.1, HTTP/2 and WebSocket on one epoll a
//! thread; HTTP/3 as tasks of one thread.

mod answer;
mod bulk;
mod call;
mod caller;
mod crew;
mod driver;
mod fleet;
mod h3;
mod schedule;
mod slice;
mod slow;
mod speech;
mod stream;
mod tasks;
mod tls;

pub(crate) use bulk::{Bulk, Direction};
pub(crate) use call::{FIELDS, body as call_body};
pub(crate) use crew::Crew;
pub(crate) use driver::{Driver, Endpoint, Pace};
pub(crate) use h3::ALPN as HTTP3;
pub(crate) use slice::Slice;
pub(crate) use slow::Pattern;
pub(crate) use speech::Language;
pub(crate) use tasks::Tasks;
pub(crate) use tls::{client_config, resuming};

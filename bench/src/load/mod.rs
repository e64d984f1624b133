//! The client side: connections that call, in a closed loop or at a fixed rate, and connections that
//! hold event streams open. HTTP/1.1 on one epoll; HTTP/2 and HTTP/3 as tasks of one thread.

mod answer;
mod bulk;
mod call;
mod caller;
mod driver;
mod fleet;
mod h2;
mod h3;
mod schedule;
mod slice;
mod stream;
mod tasks;
mod tls;

pub(crate) use bulk::{Bulk, Direction};
pub(crate) use driver::{Driver, Pace};
pub(crate) use slice::Slice;
pub(crate) use tasks::{Protocol, Tasks};
pub(crate) use tls::{client_config, resuming};

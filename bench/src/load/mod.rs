//! The client side: TLS connections that call in a closed loop or hold event streams open.

mod answer;
mod caller;
mod driver;
mod slice;
mod stream;
mod tls;

pub(crate) use driver::{Driver, Endpoint};
pub(crate) use slice::Slice;
pub(crate) use tls::client_config;

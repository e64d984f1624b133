//! QUIC without routes or sockets: keys, connection IDs, the settings of endpoints and whom to let
//! in. Streams and packets are `quinn`'s; `http::h3` speaks HTTP over them.

mod admission;
mod config;
mod ids;
mod keys;
mod moves;

pub use admission::{Accepted, Admission, Decision, Load};
pub use config::{SEND_WINDOW, endpoint_config, server_config};
pub use ids::GENERATION;
pub use keys::Keys;
pub use moves::Moves;

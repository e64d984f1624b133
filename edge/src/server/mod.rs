//! The control plane: start-up, workers, reload, drain.

pub mod control;
pub mod keeper;
pub mod privileges;
pub mod reload;
pub mod signals;

mod accept;
mod clients;
mod descriptors;
mod error;
mod handshake;
mod listen;
mod load;
mod proxied;
mod quic;
mod run;
mod shield;
mod stapling;
mod steer;
mod supervise;
mod update;
mod upstream_files;
mod worker;

pub use error::Error;
pub use load::{load, log_warnings, with_causes};
pub use run::run;

//! The control plane: start-up, workers, drain.

pub mod control;
pub mod privileges;
pub mod signals;

mod accept;
mod error;
mod listen;
mod run;
mod shield;
mod worker;

pub use error::Error;
pub use run::run;

//! (being written)

pub mod control;
pub mod privileges;
pub mod signals;

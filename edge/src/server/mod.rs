//! (being written)

pub mod privileges;
pub mod signals;

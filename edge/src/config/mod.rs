//! The configuration: TOML text to a [`Config`] that cannot be wrong.
//!
//! `model` mirrors the file, `validate` turns it into the types of `types` or into a list of
//! errors, each with file, line, the offending text and the nearest valid name.

mod types;

pub use types::{
    Bounds, Certificate, Config, Host, HostName, Listen, Log, LogTarget, Penalty, Rate,
    RequestLimit, Route, Shield, ShieldMode, Timeouts, Upstream, UpstreamAddr, UpstreamId,
};

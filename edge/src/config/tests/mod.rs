//! Whole files: the documentation's own example, every kind of error, and mutations.

mod document;
mod errors;
mod files;
mod mutations;
mod warnings;

use std::path::Path;

use super::load::Loaded;
use super::read::Machine;
use super::source::Source;

/// The smallest useful file, as the errors suggest it.
const MINIMAL: &str = r#"
[[host]]
names = ["*"]
[[host.route]]
upstream = "http://127.0.0.1:8000"
"#;

/// A machine of which every answer is known.
fn machine() -> Machine {
    Machine {
        resolve: |name, port| match name {
            "localhost" => Ok(vec![std::net::SocketAddr::from(([127, 0, 0, 1], port))]),
            _ => Err(std::io::Error::other("no such name")),
        },
        has_account: |name| name != "nobody-here",
        has_interface: |name| name != "eth9",
        cpus: || 4,
    }
}

/// Validates `text` as `edge.toml` on [`machine`].
fn load(text: &str) -> Result<Loaded, super::ConfigErrors> {
    Loaded::from_source(Source::new(text, Path::new("edge.toml")), machine())
}

/// What an operator sees for `text`, which must be wrong.
fn errors(text: &str) -> String {
    load(text).expect_err("this file is wrong").to_string()
}

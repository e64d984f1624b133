//! A machine of which every answer is known, and files with something wrong in them.

use std::net::SocketAddr;
use std::path::Path;

use crate::config::ConfigErrors;
use crate::config::load::Loaded;
use crate::config::read::Machine;
use crate::config::source::Source;
use crate::files::Disk;

/// The smallest useful file, as the errors suggest it.
pub(in crate::config::tests) const MINIMAL: &str = r#"
[[host]]
names = ["*"]
[[host.route]]
upstream = "http://127.0.0.1:8000"
"#;

/// A machine of which every answer is known.
pub(in crate::config::tests) fn machine() -> Machine {
    Machine {
        resolve: |name, port| match name {
            "localhost" => Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
            _ => Err(std::io::Error::other("no such name")),
        },
        has_account: |name| name != "nobody-here",
        has_interface: |name| name != "eth9",
        cpus: || 4,
    }
}

/// Validates `text` as `edge.toml` on [`machine`].
pub(in crate::config::tests) fn load(text: &str) -> Result<Loaded, ConfigErrors> {
    let source = Source::new(text, Path::new("edge.toml"));
    Loaded::from_source(source, machine(), &Disk)
}

/// What an operator sees for `text`, which must be wrong.
pub(in crate::config::tests) fn errors(text: &str) -> String {
    load(text).expect_err("this file is wrong").to_string()
}

/// The errors of a minimal file with `lines` after it.
pub(in crate::config::tests) fn after(lines: &str) -> String {
    errors(&format!("{}\n{lines}\n", MINIMAL.trim()))
}

/// The errors of a minimal file with `lines` before it.
pub(in crate::config::tests) fn before(lines: &str) -> String {
    errors(&format!("{lines}\n{}", MINIMAL.trim()))
}

/// The errors of a host with these lines.
pub(in crate::config::tests) fn host(lines: &str) -> String {
    let route = "[[host.route]]\nupstream = \"127.0.0.1:8000\"\n";
    errors(&format!("[[host]]\n{lines}\n{route}"))
}

/// The errors of a route with these lines.
pub(in crate::config::tests) fn route(lines: &str) -> String {
    errors(&format!(
        "[[host]]\nnames = [\"*\"]\n[[host.route]]\n{lines}\n"
    ))
}

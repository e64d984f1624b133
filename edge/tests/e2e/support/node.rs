//! Peers written for Node.

use std::path::Path;
use std::process::Command;

use super::bins;

/// A script of the tests, run where the packages it imports are found: beside them.
pub(crate) fn node_script(name: &str, arguments: &[&str]) -> Command {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
    let packages = bins::node_packages();
    let script = packages.join(name);
    std::fs::copy(scripts.join(name), &script).expect("the directory of the packages is ours");
    let mut command = node();
    command.arg(script).args(arguments);
    command
}

/// A program of an installed package.
pub(crate) fn node_program(path: &str, arguments: &[&str]) -> Command {
    let mut command = node();
    command
        .arg(bins::node_packages().join("node_modules").join(path))
        .args(arguments);
    command
}

/// The version that the packages need, which is one of them.
fn node() -> Command {
    Command::new(bins::node_packages().join("node_modules/.bin/node"))
}

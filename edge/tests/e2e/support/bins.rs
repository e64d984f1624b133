//! Where the programs under test and their peers are; what is missing fails the test by name.

use std::path::PathBuf;

/// Directory of the running profile's binaries: this test is in its `deps` folder.
fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    test.ancestors()
        .nth(2)
        .expect("target/PROFILE/deps/TEST")
        .to_owned()
}

/// The path in `variable`, or the default; it must exist.
fn required(variable: &str, default: PathBuf, made_by: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or(default, PathBuf::from);
    assert!(
        path.exists(),
        "{} does not exist: run `{made_by}` or set {variable}",
        path.display()
    );
    path
}

/// `edge` itself.
pub(crate) fn edge() -> PathBuf {
    required(
        "EDGE_BIN",
        env!("CARGO_BIN_EXE_edge").into(),
        "cargo build -p edge",
    )
}

/// The demo upstream of the `bench` crate.
pub(crate) fn edge_demo() -> PathBuf {
    required(
        "EDGE_DEMO_BIN",
        built("edge-demo"),
        "cargo build -p bench --bins",
    )
}

/// The flood generator of the `bench` crate.
pub(crate) fn edge_flood() -> PathBuf {
    required(
        "EDGE_FLOOD_BIN",
        built("edge-flood"),
        "cargo build -p bench --bins",
    )
}

/// A binary of the workspace in this profile's directory, else in the release one.
fn built(name: &str) -> PathBuf {
    let here = profile_dir();
    let candidates = [here.join(name), here.with_file_name("release").join(name)];
    candidates
        .iter()
        .find(|path| path.exists())
        .unwrap_or(&candidates[0])
        .clone()
}

/// Python of the environment with the SDK generation `1` or `2`.
pub(crate) fn python(generation: u8) -> PathBuf {
    interpreter(&format!("mcp{generation}"))
}

/// Python of the environment with the peers that speak no MCP.
pub(crate) fn peers_python() -> PathBuf {
    interpreter("peers")
}

/// The directory with the packages of the peers that are written for Node.
pub(crate) fn node_packages() -> PathBuf {
    let default = profile_dir().with_file_name("node");
    let packages = required("EDGE_NODE", default, "cargo xtask setup --tests");
    let installed = packages.join("node_modules");
    assert!(
        installed.exists(),
        "{} does not exist: run `cargo xtask setup --tests`",
        installed.display()
    );
    packages
}

fn interpreter(name: &str) -> PathBuf {
    let default = profile_dir().with_file_name("venv").join(name);
    let variable = format!("EDGE_VENV_{}", name.to_uppercase());
    required(&variable, default, "cargo xtask setup --tests").join("bin/python")
}

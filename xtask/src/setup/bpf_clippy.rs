//! Clippy for the kernel programs. They do not compile for the host, so it has to be the clippy of
//! the compiler that has the source of `core`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::core_source::{self, CoreSource};
use crate::shell;

/// What Debian calls it, and where it is: cargo's own directory may hold another one.
pub(super) const PACKAGE: &str = "rust-web-clippy";
const DEBIAN_CLIPPY: &str = "/usr/bin/cargo-clippy";

/// Whether the clippy of `core`'s compiler is there.
pub(super) fn is_here(core: &CoreSource) -> bool {
    match core {
        CoreSource::Nightly => {
            shell::output(core_source::nightly().args(["cargo-clippy", "--version"])).is_ok()
        }
        CoreSource::Debian => Path::new(DEBIAN_CLIPPY).is_file(),
    }
}

/// Adds it to rustup's nightly.
pub(super) fn install_for_nightly() -> Result<()> {
    let add = ["component", "add", "clippy", "--toolchain", "nightly"];
    shell::run(shell::command("rustup").args(add))
}

/// `cargo clippy` for the kernel programs, with warnings denied, at the root of the source tree.
/// Shares its target directory with the build script of `edge`.
///
/// # Errors
/// When no compiler has the source of `core`.
pub(crate) fn bpf_clippy(root: &Path, target: &Path) -> Result<Command> {
    let core = CoreSource::find().context("the source of Rust's core library is missing")?;
    let mut clippy = match core {
        CoreSource::Nightly => {
            let mut command = core_source::nightly();
            command.arg("cargo");
            command
        }
        CoreSource::Debian => {
            let mut command = shell::command(DEBIAN_CLIPPY);
            command
                .env("CARGO", core_source::DEBIAN_CARGO)
                .env("RUSTC", core_source::DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1");
            command
        }
    };
    clippy
        .current_dir(root)
        .env_remove("LD_LIBRARY_PATH") // Of the compiler that runs this program.
        .args(["clippy", "--package", "edge-ebpf", "--all-features"])
        .args(["--profile", "bpf"])
        .args([
            "--target",
            "bpfel-unknown-none",
            "-Zbuild-std=core",
            "--target-dir",
        ])
        .arg(target.join("bpf"))
        .args(["--", "-D", "warnings"]);
    Ok(clippy)
}

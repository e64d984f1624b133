//! The source of Rust's `core` library: it has to be compiled for the kernel's virtual machine,
//! because nobody ships it compiled for that target. Either toolchain below will do; the build
//! script of `edge` looks for them in the same order.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// A compiler with that source.
#[derive(Debug)]
pub(super) enum CoreSource {
    /// rustup's nightly with the component `rust-src`.
    Nightly,
    /// Debian's own compiler with its source package.
    Debian,
}

/// What Debian calls it. The `-web` packages are the ones its security team keeps current for the
/// browsers; plain `rustc` is too old.
pub(super) const PACKAGES: &[&str] = &[
    "rustc-web",
    "rust-web-src",
    "libstd-rust-web-dev",
    "cargo-web",
];

/// Where Debian puts its compiler, also when another one comes first in `PATH`.
pub(super) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
pub(super) const DEBIAN_CARGO: &str = "/usr/bin/cargo";

impl CoreSource {
    /// Looks for one.
    pub(super) fn find() -> Option<Self> {
        if shell::find("rustup").is_some() && has_core(nightly().arg("rustc")) {
            return Some(Self::Nightly);
        }
        let debian = [DEBIAN_RUSTC, DEBIAN_CARGO]
            .iter()
            .all(|file| Path::new(file).is_file());
        (debian && has_core(&mut shell::command(DEBIAN_RUSTC))).then_some(Self::Debian)
    }

    /// What was found, for people.
    pub(super) fn shown(&self) -> &'static str {
        match self {
            Self::Nightly => "rustup's nightly with rust-src",
            Self::Debian => "Debian's rustc with rust-web-src",
        }
    }
}

/// A program of rustup's nightly, to be named as the next argument; nothing is installed for it.
pub(super) fn nightly() -> Command {
    let mut command = shell::command("rustup");
    command
        .env("RUSTUP_AUTO_INSTALL", "0")
        .args(["run", "nightly"]);
    command
}

/// Whether the toolchain of this compiler has the source of `core`.
fn has_core(rustc: &mut Command) -> bool {
    shell::output(rustc.args(["--print", "sysroot"])).is_ok_and(|sysroot| {
        Path::new(&sysroot)
            .join("lib/rustlib/src/rust/library/core")
            .is_dir()
    })
}

/// Installs one where there is no apt.
///
/// # Errors
/// When there is no rustup either, or it fails.
pub(super) fn install_nightly() -> Result<()> {
    if shell::find("rustup").is_none() {
        bail!(
            "the kernel programs need the source of Rust's core library: install rustup from \
             https://rustup.rs, then run `cargo xtask setup` again"
        );
    }
    let nightly = ["toolchain", "install", "nightly", "--profile", "minimal"];
    shell::run(
        shell::command("rustup")
            .args(nightly)
            .args(["--component", "rust-src"]),
    )
}

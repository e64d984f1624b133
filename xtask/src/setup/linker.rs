//! `bpf-linker`, which turns compiled Rust into an object the kernel's verifier accepts. It is built
//! against LLVM 22, the version both supported compilers write.

use std::path::Path;

use anyhow::{Context, Result};

use crate::setup::apt;
use crate::shell;

/// The version edge is built with.
const VERSION: &str = "0.13.0";

/// Where Debian puts LLVM 22.
const LLVM: &str = "/usr/lib/llvm-22";

/// What it is compiled with.
const PACKAGES: &[(&str, &str)] = &[
    ("llvm-22-dev", "/usr/lib/llvm-22/bin/llvm-config"),
    ("libpolly-22-dev", "/usr/lib/llvm-22/lib/libPolly.a"),
    ("zlib1g-dev", "/usr/include/zlib.h"),
    ("libzstd-dev", "/usr/include/zstd.h"),
];

/// Whether a linker that will do is there and starts.
pub(super) fn is_here() -> bool {
    shell::output(shell::command("bpf-linker").arg("--version")).is_ok_and(|said| {
        said.split_whitespace()
            .nth(1)
            .is_some_and(|found| found == VERSION)
    })
}

/// The Debian packages that are missing to compile it.
pub(super) fn missing_packages() -> impl Iterator<Item = &'static str> {
    PACKAGES
        .iter()
        .filter(|(_, file)| !Path::new(file).exists())
        .map(|(package, _)| *package)
}

/// Compiles and installs it for this account.
///
/// # Errors
/// When cargo fails; the error says where compiled ones are to be had.
pub(super) fn install(root: &Path) -> Result<()> {
    let version = [
        "install",
        "bpf-linker",
        "--version",
        VERSION,
        "--locked",
        "--force",
    ];
    let features = ["--no-default-features", "--features", "llvm-22"];
    let mut cargo = shell::cargo(root);
    cargo
        .args(version)
        .args(features)
        .env("LLVM_PREFIX", LLVM)
        .env("LLVM_SYS_221_PREFIX", LLVM);
    shell::run(&mut cargo).with_context(|| {
        let also = if apt::is_here() {
            ""
        } else {
            " for want of LLVM 22 and its headers"
        };
        format!(
            "bpf-linker could not be compiled{also}; compiled programs are at \
             https://github.com/aya-rs/bpf-linker/releases/tag/v{VERSION}: put one in PATH"
        )
    })
}

//! Compiles `edge-ebpf` for the BPF target and puts the object where `src/kernel` embeds it from.
//!
//! The BPF target ships without a compiled `core`, so the compiler must build it from source, which
//! takes an unstable flag: rustup's nightly with the `rust-src` component where that is installed,
//! else Debian's `rustc-web` and `rust-web-src`, told to accept unstable flags. The linker is
//! `bpf-linker`. `cargo xtask setup` provides all of it; where something is missing the build stops
//! with one sentence that says so.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "bpfel-unknown-none";
const OBJECT: &str = "edge-ebpf";
/// Its second program.
const STEER: &str = "edge-steer";

/// BTF for the maps and the program; instructions of kernel 5.12 and later; multi-byte reads of
/// packets in one instruction, which the verifier accepts on every 64-bit server architecture.
const RUSTFLAGS: [&str; 4] = [
    "-Ctarget-cpu=v3",
    "-Cdebuginfo=2",
    "-Clink-arg=--btf",
    "-Clink-arg=--cpu-features=+allows-misaligned-mem-access",
];

fn main() {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let workspace = manifest_dir.parent().expect("edge is a workspace member");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));

    for path in ["edge-ebpf", "edge-common", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    if let Err(sentence) = build(workspace, &out_dir) {
        println!("cargo::error={sentence}");
    }
}

fn build(workspace: &Path, out_dir: &Path) -> Result<(), String> {
    let path = search_path();
    if !is_there("bpf-linker", &path) {
        return Err(missing("bpf-linker is not installed"));
    }
    let mut cargo = nightly(&path)
        .or_else(debian)
        .ok_or_else(|| missing("no compiler here can build `core` for the BPF target"))?;

    // A directory of its own, so that the cargo that runs this script, which holds the lock of its
    // own directory, is not waited for; one for all profiles, because the object is the same.
    let target_dir = out_dir
        .ancestors()
        .nth(4)
        .expect("OUT_DIR is TARGET_DIR/PROFILE/build/PACKAGE/out")
        .join("bpf");

    let features: &[&str] = match env::var_os("CARGO_FEATURE_BPF_LOG") {
        Some(_) => &["--features", "log"],
        None => &[],
    };
    let output = cargo
        .current_dir(workspace)
        .env("PATH", &path)
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"))
        .env("RUSTC_WRAPPER", "") // Overrides the configuration file's.
        .env("RUSTC_WORKSPACE_WRAPPER", "")
        .args(["build", "--locked", "--package", OBJECT, "--profile", "bpf"])
        .args(["--target", TARGET, "-Zbuild-std=core", "--target-dir"])
        .arg(&target_dir)
        .args(features)
        .output()
        .map_err(|error| missing(&format!("{:?} cannot be run: {error}", cargo.get_program())))?;
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(missing("its build failed (output below)"));
    }

    for (program, name) in [(OBJECT, "shield.o"), (STEER, "steer.o")] {
        let object = target_dir.join(TARGET).join("bpf").join(program);
        fs::copy(&object, out_dir.join(name))
            .map_err(|error| missing(&format!("{} cannot be copied: {error}", object.display())))?;
    }
    Ok(())
}

fn missing(why: &str) -> String {
    format!("the kernel program cannot be built: {why}; run `cargo xtask setup`")
}

/// Where programs are looked for: cargo's own directory too, which a build without a login shell
/// does not have in its path.
fn search_path() -> OsString {
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let directories = env::var_os("PATH").unwrap_or_default();
    env::join_paths(
        env::split_paths(&directories)
            .chain(cargo_home.map(|home| home.join("bin")))
            .chain([PathBuf::from("/usr/bin")]),
    )
    .unwrap_or(directories)
}

fn is_there(program: &str, path: &OsString) -> bool {
    env::split_paths(path).any(|directory| directory.join(program).is_file())
}

/// rustup's nightly, if it has the source of `core`.
fn nightly(path: &OsString) -> Option<Command> {
    let rustup = |program: &str| {
        let mut command = clean("rustup");
        command
            .env("PATH", path)
            .env("RUSTUP_AUTO_INSTALL", "0")
            .args(["run", "nightly", program]);
        command
    };
    let sysroot = rustup("rustc").args(["--print", "sysroot"]).output().ok()?;
    let sysroot = String::from_utf8(sysroot.stdout).ok()?;
    has_source(Path::new(sysroot.trim_end())).then(|| rustup("cargo"))
}

/// Debian's compiler, if it has the source of `core`.
fn debian() -> Option<Command> {
    let (rustc, cargo) = ("/usr/bin/rustc", "/usr/bin/cargo");
    if !Path::new(rustc).is_file() || !Path::new(cargo).is_file() || !has_source("/usr".as_ref()) {
        return None;
    }
    let mut command = clean(cargo);
    command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
    Some(command)
}

fn has_source(sysroot: &Path) -> bool {
    sysroot
        .join("lib/rustlib/src/rust/library/core/Cargo.toml")
        .is_file()
}

/// A command without what the outer cargo, clippy or a coverage tool has set for the host: flags,
/// compiler and its libraries, wrappers, profiles, toolchain. How to reach the registry stays, and the job server.
fn clean(program: &str) -> Command {
    const KEPT: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "RUSTUP_HOME",
    ];
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let name_text = name.to_string_lossy();
        let is_host = ["CARGO", "RUST", "CLIPPY_"]
            .iter()
            .any(|prefix| name_text.starts_with(prefix));
        let is_host = is_host || name_text == "LD_LIBRARY_PATH";
        if is_host && !KEPT.iter().any(|kept| name_text.starts_with(kept)) {
            command.env_remove(&name);
        }
    }
    command
}

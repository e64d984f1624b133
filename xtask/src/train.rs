//! `cargo xtask train`: records how often each branch of `edge` is taken.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use nix::sys::stat::{Mode, umask};

use crate::profile::{self, Origin};
use crate::repo::Repo;
use crate::{build, setup, shell, test};

/// Record which parts of edge run often, for the compiler.
///
/// Compiles an edge that counts, drives it with the workloads of `bench` and with end-to-end tests, so
/// that nothing that serves requests looks as if it never ran, and writes what was counted to
/// edge/profile, which releases are compiled with. Takes about 20 minutes on two CPUs. To be done when
/// the compiler, the dependencies or much of the code have changed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {}

/// What a server does most; each for a few seconds.
const WORKLOADS: [&str; 7] = [
    "https1",
    "https2",
    "https3",
    "handshake",
    "mcp",
    "websocket",
    "bulk",
];

/// End-to-end tests of what the workloads do not do, without those that break it on purpose.
const TESTS: [&str; 15] = [
    "auth::",
    "bodies::",
    "cache::",
    "compression::",
    "files::",
    "forwarding::",
    "http1::",
    "http2::",
    "jwt::",
    "limits::",
    "mcp_",
    "streams::",
    "upstream_h2::",
    "upstream_tls::",
    "upstreams::",
];

/// Runs the task.
pub(crate) fn train(repo: &Repo, _: &Options) -> Result<()> {
    setup::ensure(repo, setup::Group::Tests)?;
    let merge = llvm_profdata(repo)?;
    // Those that drive it count nothing.
    build::release(repo)?;
    shell::run(shell::cargo(repo.root()).args(["build", "--bins", "--tests"]))?;

    let scratch = Scratch::new()?;
    let target = repo.target().join("train");
    let mut counting = shell::cargo(repo.root());
    counting
        .args(build::RELEASE)
        // Of the same packages, or their features would be others.
        .args(["--bin", "edge"])
        .arg("--target-dir")
        .arg(&target)
        .args(profile::flag("-Cprofile-generate"))
        // What build scripts count.
        .env("LLVM_PROFILE_FILE", scratch.path().join("build/%m.profraw"));
    shell::run(&mut counting)?;

    let counts = scratch.path().join("edge");
    let edge = target.join("release/edge");
    for workload in WORKLOADS {
        let mut bench = shell::command(repo.release("bench"));
        bench
            .current_dir(repo.root())
            .args([workload, "--proxies", "edge"])
            .args(["--slices", "3", "--duration", "2"])
            .env("EDGE_VENV_PROXIES", repo.venv("proxies"));
        run(&mut bench, &edge, &counts)?;
    }
    let mut tests = test::end_to_end(repo, |program| repo.checked(program));
    run(tests.args(TESTS), &edge, &counts)?;

    let kept = profile::counts(repo.root());
    fs::create_dir_all(kept.parent().context("it is in a directory")?)?;
    let mut merging = Command::new(merge);
    merging.args(["merge", "-sparse", "-o"]).arg(&kept);
    shell::run(merging.arg(&counts))?;
    Origin::here(repo)?.keep(repo.root())?;
    println!("{} is written", Repo::shown(&kept));
    Ok(())
}

/// Runs what drives `edge`, whose processes add to the counts when they end.
fn run(driver: &mut Command, edge: &Path, counts: &Path) -> Result<()> {
    driver
        .env("EDGE_BIN", edge)
        .env("LLVM_PROFILE_FILE", counts.join("%m.profraw"));
    // Some end as root and some as another user, and all write the same file.
    let before = umask(Mode::empty());
    let ran = shell::run(driver);
    umask(before);
    ran
}

/// The program that makes counts what the compiler reads, of the same LLVM as the compiler.
fn llvm_profdata(repo: &Repo) -> Result<PathBuf> {
    let mut rustc = shell::command("rustc");
    let libraries = shell::output(
        rustc
            .current_dir(repo.root())
            .args(["--print", "target-libdir"]),
    )?;
    let program = Path::new(&libraries)
        .with_file_name("bin")
        .join("llvm-profdata");
    if !program.is_file() {
        let add = ["component", "add", "llvm-tools"];
        shell::run(shell::command("rustup").current_dir(repo.root()).args(add))
            .with_context(|| format!("{} is missing", program.display()))?;
    }
    Ok(program)
}

/// A directory that everybody may write to.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("edge-train-").tempdir()?;
        let counts = directory.path().join("edge");
        fs::create_dir(&counts)?;
        for path in [directory.path(), &counts] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
        }
        Ok(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

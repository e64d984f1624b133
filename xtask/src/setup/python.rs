//! The Python environments of tests and measurements: one for each era of the official MCP SDK, one
//! for other peers, and one for proxies that come as Python packages. They are made from the pinned
//! requirements beside those who use them, and made again when those change.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::shell;

/// The environments; each has its `requirements-NAME.txt`.
pub(super) const ENVIRONMENTS: &[&str] = &["mcp1", "mcp2", "peers", "proxies"];

/// Fails unless the interpreter can make an environment that the SDKs run in.
const PROBE: &str = "import sys, venv, ensurepip; assert sys.version_info >= (3, 10)";

/// An interpreter that will do: the one in `PATH`, or Debian's where that one will not.
pub(super) fn interpreter() -> Option<PathBuf> {
    let candidates = shell::find("python3")
        .into_iter()
        .chain([PathBuf::from("/usr/bin/python3")]);
    candidates
        .filter(|python| python.is_file())
        .find(|python| shell::output(shell::command(python).args(["-c", PROBE])).is_ok())
}

/// Whether the environment `name` is complete and still what its requirements say.
pub(super) fn is_current(repo: &Repo, name: &str) -> bool {
    let venv = repo.venv(name);
    let made_from = fs::read(stamp(&venv)).ok();
    made_from.is_some()
        && made_from == fs::read(requirements(repo, name)).ok()
        && shell::output(shell::command(venv.join("bin/python")).args(["-c", ""])).is_ok()
}

/// Makes the environment `name` from nothing.
///
/// # Errors
/// When there is no interpreter, the requirements cannot be read, or pip fails.
pub(super) fn make(repo: &Repo, name: &str) -> Result<()> {
    let python = interpreter().context("no Python 3.10 or later with venv")?;
    let requirements = requirements(repo, name);
    let pins = fs::read(&requirements)
        .with_context(|| format!("cannot read {}", Repo::shown(&requirements)))?;
    let venv = repo.venv(name);
    shell::run(
        shell::command(python)
            .args(["-m", "venv", "--clear"])
            .arg(&venv),
    )?;
    let quiet = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ];
    let pip = venv.join("bin/python");
    shell::run(
        shell::command(pip)
            .args(quiet)
            .arg("--requirement")
            .arg(&requirements),
    )?;
    // Last, so that what was interrupted is made again.
    fs::write(stamp(&venv), pins).with_context(|| format!("cannot write to {}", venv.display()))
}

fn requirements(repo: &Repo, name: &str) -> PathBuf {
    let folder = match name {
        "proxies" => "bench/peers",
        _ => "edge/tests/python",
    };
    repo.root()
        .join(folder)
        .join(format!("requirements-{name}.txt"))
}

/// A copy of the requirements the environment was made from.
fn stamp(venv: &Path) -> PathBuf {
    venv.join("made-from-requirements.txt")
}

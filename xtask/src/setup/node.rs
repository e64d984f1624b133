//! The packages of the end-to-end tests' peers that are written for Node: those that the lock file
//! beside the tests pins, installed again when it changes.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::shell;

/// What npm reads.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];
/// Written last, so that what was interrupted is made again.
const STAMP: &str = "made-from-lock.json";

/// Whether what is installed is still what the lock file says.
pub(super) fn is_current(repo: &Repo) -> bool {
    let made_from = fs::read(repo.node().join(STAMP)).ok();
    made_from.is_some() && made_from == fs::read(source(repo, FILES[1])).ok()
}

/// Installs exactly what the lock file pins.
///
/// # Errors
/// When npm is not there or fails, or the files cannot be copied.
pub(super) fn make(repo: &Repo) -> Result<()> {
    let directory = repo.node();
    let shown = || format!("cannot write to {}", directory.display());
    fs::create_dir_all(&directory).with_context(shown)?;
    for name in FILES {
        fs::copy(source(repo, name), directory.join(name)).with_context(shown)?;
    }
    let quiet = ["ci", "--silent", "--no-audit", "--no-fund"];
    shell::run(
        shell::command("npm")
            .args(quiet)
            .arg("--prefix")
            .arg(&directory),
    )?;
    fs::copy(source(repo, FILES[1]), directory.join(STAMP)).with_context(shown)?;
    Ok(())
}

fn source(repo: &Repo, name: &str) -> PathBuf {
    repo.root().join("edge/tests/node").join(name)
}

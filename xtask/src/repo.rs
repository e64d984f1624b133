//! Where things are: the source tree and what is built from it.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The source tree and its target directory.
#[derive(Debug)]
pub(crate) struct Repo {
    root: PathBuf,
    target: PathBuf,
}

impl Repo {
    /// Finds both: the tree is the parent of this crate, and the target directory is two levels
    /// above the running program, wherever cargo's configuration put it.
    pub(crate) fn locate() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .context("xtask is not inside a source tree")?
            .to_path_buf();
        let program = env::current_exe().context("cannot find the running program")?;
        let target = program
            .ancestors()
            .nth(2)
            .context("the running program is not inside a target directory")?
            .to_path_buf();
        Ok(Self { root, target })
    }

    /// The root of the source tree.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What is built from it.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A program of the release build: `edge`, `edge-demo` or `bench`.
    pub(crate) fn release(&self, program: &str) -> PathBuf {
        self.target.join("release").join(program)
    }

    /// The same of the build that the tests use, which is checked for overflows and compiled in a
    /// fraction of the time.
    pub(crate) fn checked(&self, program: &str) -> PathBuf {
        self.target.join("debug").join(program)
    }

    /// The Python virtual environment called `name`.
    pub(crate) fn venv(&self, name: &str) -> PathBuf {
        self.target.join("venv").join(name)
    }

    /// Where the packages of the tests' peers that are written for Node are installed.
    pub(crate) fn node(&self) -> PathBuf {
        self.target.join("node")
    }

    /// The local certificate authority and the certificate it signed.
    pub(crate) fn dev_ca(&self) -> PathBuf {
        self.target.join("dev-ca")
    }

    /// `path` the way a person in the current directory would type it.
    pub(crate) fn shown(path: &Path) -> String {
        let here = env::current_dir().unwrap_or_default();
        path.strip_prefix(&here)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}

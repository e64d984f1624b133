//! Taking the shield away at the end: it would outlive `edge`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::shell;

/// A pinned shield; dropping this removes it.
#[derive(Debug)]
pub(super) struct Pin {
    edge: PathBuf,
    /// Where it is, or the configuration that says so.
    place: [PathBuf; 2],
}

impl Pin {
    /// In a directory that no other run has.
    pub(super) fn own(edge: &Path) -> Self {
        let directory = format!("/sys/fs/bpf/edge-run-{}", std::process::id());
        Self {
            edge: edge.to_owned(),
            place: ["--pin".into(), directory.into()],
        }
    }

    /// Where somebody's own configuration says.
    pub(super) fn of(edge: &Path, config: &Path) -> Self {
        Self {
            edge: edge.to_owned(),
            place: ["--config".into(), config.to_owned()],
        }
    }

    /// The directory, or the configuration.
    pub(super) fn directory(&self) -> &Path {
        &self.place[1]
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut command = shell::command(&self.edge);
        command.args(["shield", "detach"]).args(&self.place);
        // Nothing to remove is no news, and without root nothing was pinned.
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

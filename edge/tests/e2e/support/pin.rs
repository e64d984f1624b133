//! Where a test's shield is pinned: a directory of its own, empty when the test has ended.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::bins;
use super::process::Process;

/// Dropping it removes what is pinned.
pub(crate) struct Pin {
    path: PathBuf,
    is_shared: bool,
}

impl Pin {
    /// A name that no other test has.
    pub(crate) fn new() -> Pin {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Relaxed);
        Pin {
            path: format!("/sys/fs/bpf/edge-e2e-{}-{count}", std::process::id()).into(),
            is_shared: false,
        }
    }

    /// A directory that the test has made.
    pub(crate) fn at(path: &Path) -> Pin {
        Pin {
            path: path.to_owned(),
            is_shared: false,
        }
    }

    /// The same directory, for a second program; this one does not remove it.
    pub(crate) fn shared(&self) -> Pin {
        Pin {
            path: self.path.clone(),
            is_shared: true,
        }
    }

    /// Runs `edge shield ARGUMENTS... --pin DIR`: exit code and both outputs.
    pub(crate) fn command(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(bins::edge());
        command
            .arg("shield")
            .args(arguments)
            .arg("--pin")
            .arg(&self.path);
        let (code, stdout, stderr) = Process::run("edge", command, Duration::from_secs(5));
        (code, stdout + &stderr)
    }

    /// What `edge shield status --json` says.
    pub(crate) fn status(&self) -> serde_json::Value {
        let (code, text) = self.command(&["status", "--json"]);
        assert_eq!(code, 0, "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if !self.is_shared && self.path.exists() {
            let (code, output) = self.command(&["detach", "--force"]);
            if !std::thread::panicking() {
                assert!(code == 0 && !self.path.exists(), "{output}");
            }
        }
    }
}

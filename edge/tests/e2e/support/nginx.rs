//! Debian's nginx with a configuration of the test's own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::process::Process;

/// A running nginx. Dropping it stops it: its workers end with their master, which a kill would orphan.
pub(crate) struct Nginx {
    pub(crate) process: Process,
}

impl Nginx {
    /// Starts it in `dir` with this file; the caller waits until it listens.
    pub(crate) fn start(dir: &Path, file: &Path) -> Nginx {
        Nginx {
            process: Process::start("nginx", nginx_command(dir, file)),
        }
    }
}

/// The command that starts it, with its own files in `dir`.
pub(crate) fn nginx_command(dir: &Path, file: &Path) -> Command {
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir).arg("-c").arg(file).arg("-g");
    command.arg(format!(
        "daemon off; user root; pid {}; error_log {};",
        dir.join("nginx.pid").display(),
        dir.join("nginx-error.log").display()
    ));
    command
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if self.process.is_running() {
            self.process.signal(Signal::SIGTERM);
            self.process.wait(Duration::from_secs(10));
        }
    }
}

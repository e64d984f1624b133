//! `edge` in a scene.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::super::scene::Scene;
use super::super::shell;
use super::PORT;
use crate::clock::{monotonic_ns, pause};

/// For edge to attach its program, and to end.
const PATIENCE_NS: u64 = 20_000_000_000;
const LOOK: Duration = Duration::from_millis(50);

/// `edge` with its program attached; dropping it ends it.
pub(super) struct Edge {
    child: Child,
    dir: TempDir,
}

impl Edge {
    /// Starts it with these lines in [shield], and files beside the configuration.
    pub(super) fn start(scene: &Scene, shield: &str, files: &[(&str, String)]) -> Result<Edge> {
        let dir = TempDir::with_prefix("edge-bench-shield-")?;
        for (name, text) in files {
            fs::write(dir.path().join(name), text)?;
        }
        let config = dir.path().join("edge.toml");
        let text = format!(
            "workers = 1\nuser = \"root\"\n\
             [listen]\nhttp = [\"0.0.0.0:{PORT}\"]\n\
             [[host]]\nnames = [\"*\"]\n[[host.route]]\nupstream = \"http://127.0.0.1:1\"\n\
             [shield]\nmode = \"native\"\nrequired = true\npin = \"off\"\ninterfaces = [\"{}\"]\n{shield}\n\
             [metrics]\nlisten = \"off\"\n[log]\naccess = \"off\"\n[admin]\nsocket = \"admin.sock\"\n",
            scene.device
        );
        fs::write(&config, text)?;
        let complaints = dir.path().join("stderr");
        let stderr = File::create(&complaints)?;
        let child = shell::inside(&scene.host, &binary("EDGE_BIN", "edge")?)
            .args(["run", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(stderr.try_clone()?)
            .stderr(stderr)
            .spawn()
            .context("cannot start edge")?;
        let mut edge = Edge { child, dir };
        let until = monotonic_ns() + PATIENCE_NS;
        // The socket is there before the program, but answers after.
        while scene.program().is_err() || edge.call(&["bans"]).is_err() {
            let has_ended = edge.child.try_wait()?.is_some();
            if has_ended || monotonic_ns() > until {
                bail!(
                    "edge did not attach its program:\n{}",
                    fs::read_to_string(&complaints).unwrap_or_default()
                );
            }
            pause(LOOK);
        }
        Ok(edge)
    }

    /// Runs a command of edge's against it.
    pub(super) fn call(&self, arguments: &[&str]) -> Result<()> {
        let mut command = std::process::Command::new(binary("EDGE_BIN", "edge")?);
        command.args(arguments).arg("--socket");
        shell::output(command.arg(self.dir.path().join("admin.sock"))).map(drop)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let until = monotonic_ns() + PATIENCE_NS;
        while matches!(self.child.try_wait(), Ok(None)) && monotonic_ns() < until {
            pause(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program named by the environment, or beside this one.
pub(in super::super) fn binary(variable: &str, name: &str) -> Result<String> {
    let path = match env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => env::current_exe()?.with_file_name(name),
    };
    if !path.is_file() {
        bail!(
            "no {name} at {}; build it with: cargo build --release, or set {variable}",
            path.display()
        );
    }
    Ok(path.display().to_string())
}

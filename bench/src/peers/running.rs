//! A proxy process from start to stop.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::proxy::Proxy;
use super::setup::{Peer, Setup, Watched};
use crate::clock::{monotonic_ns, pause};
use crate::measure::{ProcessTree, check_interrupt};
use crate::netns::enter;

/// For a proxy to accept connections, and to end after it was told to.
const PATIENCE_NS: u64 = 10_000_000_000;
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(20);
/// At its start, whose time is measured.
const LOOK_AT_START: Duration = Duration::from_millis(1);
/// Lines of its complaints that are repeated when it does not start.
const COMPLAINT_LINES: usize = 20;

/// A proxy that accepts connections; dropping it ends it.
pub(crate) struct Running {
    pub(crate) proxy: Proxy,
    /// The name in results.
    pub(crate) label: String,
    pub(crate) address: SocketAddr,
    /// Where edge shows its counters.
    pub(crate) metrics: SocketAddr,
    /// From its start until it accepted a connection.
    pub(crate) start_ns: u64,
    /// With its configuration, logs and sockets.
    pub(crate) dir: PathBuf,
    child: Child,
    /// What it takes over by itself when it changes.
    watched: Option<Watched>,
}

impl Running {
    pub(super) fn start(
        peer: &Peer,
        mut command: Command,
        watched: Option<Watched>,
        [address, metrics]: [SocketAddr; 2],
        setup: &Setup<'_>,
    ) -> Result<Self> {
        let dir = setup.dir.join(&peer.label);
        let complaints = dir.join("stderr");
        command
            .stdin(Stdio::null())
            .stdout(File::create(dir.join("stdout"))?)
            .stderr(File::create(&complaints)?);
        let from_ns = monotonic_ns();
        let child = setup
            .cpus
            .start_proxy(&mut command)
            .with_context(|| format!("cannot start {}", peer.label))?;
        let mut running = Self {
            proxy: peer.proxy,
            label: peer.label.clone(),
            address,
            metrics,
            start_ns: 0,
            dir,
            child,
            watched,
        };
        let netns = setup.netns.map(enter).transpose()?;
        running.wait_until_ready(&complaints)?;
        drop(netns);
        running.start_ns = monotonic_ns() - from_ns;
        Ok(running)
    }

    /// Has it take over its configuration anew, as its own documentation says; returns once it was
    /// told to.
    pub(crate) fn reload(&self) -> Result<()> {
        let main = Pid::from_raw(self.child.id() as i32);
        match self.proxy {
            Proxy::Edge | Proxy::Nginx => kill(main, Signal::SIGHUP)?,
            Proxy::Haproxy => kill(main, Signal::SIGUSR2)?,
            Proxy::Traefik | Proxy::Envoy => {
                let watched = self.watched.as_ref().context("it watches a file")?;
                watched.put(monotonic_ns())?;
            }
            Proxy::Caddy => {
                // The command ends when the new configuration is in force; nobody waits for it.
                let mut command = Command::new(self.proxy.program()?);
                let socket = self.dir.join("caddy-admin.sock");
                command
                    .args(["reload", "--force", "--adapter", "caddyfile", "--config"])
                    .arg(self.dir.join("config"))
                    .args(["--address", &format!("unix/{}", socket.display())])
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                let mut child = command.spawn().context("cannot run caddy reload")?;
                thread::spawn(move || child.wait());
            }
        }
        Ok(())
    }

    /// Its processes as they are now. nginx listens before its worker exists: ask once the proxy
    /// has answered something.
    pub(crate) fn tree(&self) -> Result<ProcessTree> {
        ProcessTree::of(self.child.id())
    }

    fn wait_until_ready(&mut self, complaints: &Path) -> Result<()> {
        let until_ns = monotonic_ns() + PATIENCE_NS;
        let what = loop {
            check_interrupt()?;
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                break format!("ended with {status}");
            }
            if monotonic_ns() > until_ns {
                break "does not accept connections".into();
            }
            pause(LOOK_AT_START);
        };
        let text = fs::read(complaints).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(COMPLAINT_LINES)..].join("\n");
        bail!("{} {what}; it said:\n{last}", self.label)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let until_ns = monotonic_ns() + PATIENCE_NS;
        while matches!(self.child.try_wait(), Ok(None)) && monotonic_ns() < until_ns {
            pause(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

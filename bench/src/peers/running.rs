//! A proxy process from start to stop.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::proxy::{Proxy, Setup};
use crate::clock::{monotonic_ns, pause};
use crate::measure::{ProcessTree, check_interrupt};

/// For a proxy to accept connections, and to end after it was told to.
const PATIENCE_NS: u64 = 10_000_000_000;
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(20);
/// Lines of its complaints that are repeated when it does not start.
const COMPLAINT_LINES: usize = 20;

/// A proxy that accepts connections; dropping it ends it.
pub(crate) struct Running {
    pub(crate) proxy: Proxy,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Running {
    pub(super) fn start(
        proxy: Proxy,
        mut command: Command,
        address: SocketAddr,
        setup: &Setup<'_>,
    ) -> Result<Self> {
        let complaints = setup.dir.join(format!("{}.stderr", proxy.name()));
        let stderr = File::create(&complaints)?;
        command
            .stdin(Stdio::null())
            .stdout(stderr.try_clone()?)
            .stderr(stderr);
        let child = setup
            .cpus
            .start_proxy(&mut command)
            .with_context(|| format!("cannot start {}", proxy.name()))?;
        let mut running = Self {
            proxy,
            address,
            child,
        };
        running.wait_until_ready(&complaints)?;
        Ok(running)
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
            pause(LOOK);
        };
        let text = fs::read(complaints).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(COMPLAINT_LINES)..].join("\n");
        bail!("{} {what}; it said:\n{last}", self.proxy.name())
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

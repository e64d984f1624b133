//! One CPU for the proxies, another for generator and origin.

use std::process::{Child, Command};

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The two CPUs of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cpus {
    proxy: usize,
    load: usize,
}

impl Cpus {
    /// The first two CPUs this process may use; restricts the calling thread to the second.
    pub(crate) fn claim() -> Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cpus = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false));
        let proxy = cpus.next();
        let (proxy, load) = proxy
            .zip(cpus.next())
            .context("a measurement needs two CPUs: one for the proxy, one for its load")?;
        pin(load)?;
        Ok(Self { proxy, load })
    }

    /// Starts a process that may use the proxies' CPU only, from its first instruction on:
    /// affinity is inherited, so this thread takes it for the moment of the start.
    pub(crate) fn start_proxy(self, command: &mut Command) -> Result<Child> {
        pin(self.proxy)?;
        let child = command.spawn();
        pin(self.load)?;
        Ok(child?)
    }
}

fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)?;
    Ok(())
}

//! One CPU for the proxies, another for generator and origin.

use std::fs;
use std::process::{Child, Command};

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Unit of /proc/stat: the same on every Linux, whatever the kernel's own tick.
const USER_HZ: u64 = 100;

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

    /// How long the proxies' CPU has been idle since the machine started, in nanoseconds, counted
    /// in steps of 10 ms (proc_stat(5)).
    pub(crate) fn proxy_idle_ns(self) -> Result<u64> {
        let stat = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        let ticks = idle_ticks(&stat, self.proxy).context("a line for every CPU in /proc/stat")?;
        Ok(ticks * (1_000_000_000 / USER_HZ))
    }

    /// Lets a thread run on the proxies' CPU only.
    pub(crate) fn give_proxy(self, thread: i32) -> Result<()> {
        pin_thread(Pid::from_raw(thread), self.proxy)
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

/// Fourth and fifth number of a CPU's line: idle, and idle with a disk at work.
fn idle_ticks(stat: &str, cpu: usize) -> Option<u64> {
    let name = format!("cpu{cpu} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let mut fields = line.split_whitespace().skip(3);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn pin(cpu: usize) -> Result<()> {
    pin_thread(Pid::from_raw(0), cpu)
}

fn pin_thread(thread: Pid, cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(thread, &set)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_that_of_the_cpu() {
        let stat = "cpu  9 9 9 9 9\ncpu1 1 2 3 40 2 0 0 0 0 0\ncpu10 0 0 0 7 0\nintr 1\n";
        assert_eq!(idle_ticks(stat, 1), Some(42));
        assert_eq!(idle_ticks(stat, 10), Some(7));
        assert_eq!(idle_ticks(stat, 2), None);
    }
}

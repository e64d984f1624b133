//! CPUs for the proxies, another for generator and origin.

use std::fs;
use std::process::{Child, Command};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Unit of /proc/stat: the same on every Linux, whatever the kernel's own tick.
const USER_HZ: u64 = 100;

/// The CPUs of a measurement: the first for the proxies, the last for what starts and loads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cpus {
    proxy: Vec<usize>,
    load: usize,
}

impl Cpus {
    /// The first `count` CPUs this process may use, and the last, which the calling thread is
    /// restricted to.
    pub(crate) fn claim(count: usize) -> Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let cpus = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false));
        let all = ALL.get_or_init(|| cpus.collect());
        let load = *all.last().context("a process runs somewhere")?;
        if all.len() < 2 {
            bail!("a measurement needs two CPUs: one for the proxy, one for its load");
        }
        let proxy = all.iter().copied().take(count).collect();
        pin(&[load])?;
        Ok(Self { proxy, load })
    }

    /// Whether the load has a CPU that no proxy uses.
    pub(crate) fn are_apart(&self) -> bool {
        !self.proxy.contains(&self.load)
    }

    /// Those that no proxy uses, for threads that load them; the last, where there are none.
    pub(crate) fn load(&self) -> Vec<usize> {
        let all = ALL.get().map(Vec::as_slice).unwrap_or_default();
        let left = all.iter().copied().filter(|cpu| !self.proxy.contains(cpu));
        let left: Vec<usize> = left.collect();
        match left.is_empty() {
            true => vec![self.load],
            false => left,
        }
    }

    /// How long the proxies' CPUs have been idle since the machine started, all of them together,
    /// in nanoseconds, counted in steps of 10 ms (proc_stat(5)).
    pub(crate) fn proxy_idle_ns(&self) -> Result<u64> {
        let stat = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        let mut ticks = 0;
        for &cpu in &self.proxy {
            ticks += idle_ticks(&stat, cpu).context("a line for every CPU in /proc/stat")?;
        }
        Ok(ticks * (1_000_000_000 / USER_HZ))
    }

    /// Lets a thread run on the proxies' CPUs only.
    pub(crate) fn give_proxy(&self, thread: i32) -> Result<()> {
        pin_thread(Pid::from_raw(thread), &self.proxy)
    }

    /// Starts a process that may use the proxies' CPUs only, from its first instruction on:
    /// affinity is inherited, so this thread takes it for the moment of the start.
    pub(crate) fn start_proxy(&self, command: &mut Command) -> Result<Child> {
        pin(&self.proxy)?;
        let child = command.spawn();
        pin(&[self.load])?;
        Ok(child?)
    }
}

/// What this process was allowed when it started; a thread that has been restricted cannot see it.
static ALL: OnceLock<Vec<usize>> = OnceLock::new();

/// Fourth and fifth number of a CPU's line: idle, and idle with a disk at work.
fn idle_ticks(stat: &str, cpu: usize) -> Option<u64> {
    let name = format!("cpu{cpu} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let mut fields = line.split_whitespace().skip(3);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Restricts the calling thread to one CPU.
pub(crate) fn give_cpu(cpu: usize) -> Result<()> {
    pin(&[cpu])
}

fn pin(cpus: &[usize]) -> Result<()> {
    pin_thread(Pid::from_raw(0), cpus)
}

fn pin_thread(thread: Pid, cpus: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu)?;
    }
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

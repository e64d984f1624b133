//! CPU time and memory of a process and its children, read from outside.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::clock::read_ns;

/// A process and the children it had when it was looked at (nginx: master and worker).
pub(crate) struct ProcessTree(Vec<Pid>);

/// User-space memory; what the kernel holds for sockets and rings is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident set, pages shared with others counted in full.
    pub(crate) rss_bytes: u64,
    /// The same with shared pages divided among those who share them.
    pub(crate) pss_bytes: u64,
}

impl ProcessTree {
    /// The process `root` and its children.
    pub(crate) fn of(root: u32) -> Result<Self> {
        let mut processes = vec![Pid::from_raw(root as i32)];
        for task in tasks(root as i32)? {
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(task.join("children")) else {
                continue;
            };
            for child in text.split_whitespace() {
                processes.push(Pid::from_raw(child.parse()?));
            }
        }
        Ok(Self(processes))
    }

    /// The processes.
    pub(crate) fn processes(&self) -> &[Pid] {
        &self.0
    }

    /// CPU time so far in nanoseconds, threads that ended included.
    pub(crate) fn cpu_ns(&self) -> Result<u64> {
        let mut sum = 0;
        for &process in &self.0 {
            sum += ClockId::pid_cpu_clock_id(process)
                .and_then(read_ns)
                .with_context(|| format!("process {process} is gone"))?;
        }
        Ok(sum)
    }

    /// Memory in use now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let mut sum = Memory::default();
        for process in &self.0 {
            let path = format!("/proc/{process}/smaps_rollup");
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
            let memory = parse_rollup(&text).with_context(|| format!("cannot parse {path}"))?;
            sum.rss_bytes += memory.rss_bytes;
            sum.pss_bytes += memory.pss_bytes;
        }
        Ok(sum)
    }
}

fn tasks(process: i32) -> Result<Vec<PathBuf>> {
    let path = format!("/proc/{process}/task");
    let entries = fs::read_dir(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect())
}

fn parse_rollup(text: &str) -> Option<Memory> {
    let field = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    };
    Some(Memory {
        rss_bytes: field("Rss:")?,
        pss_bytes: field("Pss:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollup_is_read_in_bytes() {
        let text = "55e5c0e000-7ffe1 ---p 00000000 00:00 0    [rollup]\n\
                    Rss:                1876 kB\nPss:                 248 kB\n\
                    Pss_Anon:            116 kB\n";
        let memory = Memory {
            rss_bytes: 1876 * 1024,
            pss_bytes: 248 * 1024,
        };
        assert_eq!(parse_rollup(text), Some(memory));
        assert_eq!(parse_rollup("Rss: 12"), None);
    }

    #[test]
    fn this_process_costs_something() {
        let own = ProcessTree::of(std::process::id()).expect("we exist");
        assert!(own.cpu_ns().expect("a clock") > 0);
        assert!(own.memory().expect("a rollup").rss_bytes > 0);
    }
}

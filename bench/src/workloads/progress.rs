//! Saying how far a long run has come, on standard error.

use std::io::{IsTerminal, stderr};

use crate::clock::monotonic_ns;

/// Between two lines: on a terminal, where each replaces the one before, and elsewhere.
const EACH_NS: u64 = 500_000_000;
const EACH_ELSEWHERE_NS: u64 = 20_000_000_000;

/// How far a workload has come.
pub(super) struct Progress {
    name: String,
    done: u64,
    total: u64,
    start_ns: u64,
    said_ns: u64,
    terminal: bool,
}

impl Progress {
    /// A workload of so many steps.
    pub(super) fn new(name: impl Into<String>, total: u64) -> Self {
        let now_ns = monotonic_ns();
        let progress = Self {
            name: name.into(),
            done: 0,
            total,
            start_ns: now_ns,
            said_ns: now_ns,
            terminal: stderr().is_terminal(),
        };
        if !progress.terminal {
            eprintln!("{}", progress.name);
        }
        progress
    }

    /// One of them is done.
    pub(super) fn step(&mut self) {
        self.done += 1;
        let now_ns = monotonic_ns();
        let each_ns = match self.terminal {
            true => EACH_NS,
            false => EACH_ELSEWHERE_NS,
        };
        if now_ns - self.said_ns < each_ns {
            return;
        }
        self.said_ns = now_ns;
        let passed_s = (now_ns - self.start_ns) as f64 / 1e9;
        let left_s = passed_s / self.done as f64 * (self.total.saturating_sub(self.done)) as f64;
        let line = format!(
            "{}: {} of {} slices, {left_s:.0} s left",
            self.name, self.done, self.total
        );
        match self.terminal {
            true => eprint!("\r\x1b[K{line}"),
            false => eprintln!("{line}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

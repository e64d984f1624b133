//! What a measurement has to say about itself to be repeatable.

use std::env;
use std::fs;

use super::date::today;

/// Date, machine and command of a run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) machine: String,
}

impl Run {
    /// This one.
    pub(crate) fn this() -> Self {
        Self {
            date: today(),
            command: command(env::args().skip(1)),
            machine: machine(),
        }
    }
}

/// The command that repeats this run.
fn command(arguments: impl Iterator<Item = String>) -> String {
    arguments.fold("cargo xtask bench".to_owned(), |command, argument| {
        command + " " + &argument
    })
}

fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, model)| model);
    let count = cpus.lines().filter(|l| l.starts_with("processor")).count();
    let memory_kib: u64 = read("/proc/meminfo")
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let virtual_machine = match cpus.contains(" hypervisor") {
        true => "virtual machine, ",
        false => "",
    };
    format!(
        "{virtual_machine}{count} CPUs of {model}, {:.0} GiB, Linux {}",
        memory_kib as f64 / f64::from(1 << 20),
        read("/proc/sys/kernel/osrelease").trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_the_one_that_xtask_takes() {
        let arguments = ["https1", "--slices", "9", "--quick"];
        assert_eq!(
            command(arguments.map(str::to_owned).into_iter()),
            "cargo xtask bench https1 --slices 9 --quick"
        );
    }
}

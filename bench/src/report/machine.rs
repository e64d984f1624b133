//! What a measurement has to say about itself to be repeatable.

use std::fmt;
use std::fs;

use anyhow::Result;

use super::date::today;
use crate::peers::Proxy;

/// Date, machine, versions and command, as the head of a section in Markdown.
pub(crate) struct Page {
    title: &'static str,
    versions: Vec<String>,
}

impl Page {
    /// A section about these proxies.
    pub(crate) fn new(title: &'static str, proxies: &[Proxy]) -> Result<Self> {
        let versions = proxies.iter().map(|proxy| proxy.version());
        Ok(Self::of_versions(title, versions.collect::<Result<_>>()?))
    }

    /// A section about programs of these versions.
    pub(crate) fn of_versions(title: &'static str, versions: Vec<String>) -> Self {
        Self { title, versions }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {} ({})\n", self.title, today())?;
        writeln!(f, "- Command: `{}`", command(std::env::args().skip(1)))?;
        writeln!(f, "- Machine: {}", machine())?;
        writeln!(f, "- Versions: {}\n", self.versions.join(", "))
    }
}

/// The command that repeats this run: the workload and `--quick` belong to `xtask`, the rest is
/// passed on by it.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut command = "cargo xtask bench".to_owned();
    let mut rest = String::new();
    for (place, argument) in arguments.enumerate() {
        if place == 0 || argument == "--quick" {
            command = command + " " + &argument;
        } else {
            rest = rest + " " + &argument;
        }
    }
    // There is something to pass on at least when this is printed: the wish for Markdown.
    command + " --" + &rest
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
        let arguments = ["https1", "--markdown", "--slices", "9", "--quick"];
        assert_eq!(
            command(arguments.map(str::to_owned).into_iter()),
            "cargo xtask bench https1 --quick -- --markdown --slices 9"
        );
    }
}

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
        Ok(Self {
            title,
            versions: versions.collect::<Result<_>>()?,
        })
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<_> = std::env::args()
            .skip(1)
            .filter(|argument| argument != "--markdown")
            .collect();
        writeln!(f, "## {} ({})\n", self.title, today())?;
        writeln!(f, "- Command: `cargo xtask bench {}`", arguments.join(" "))?;
        writeln!(f, "- Machine: {}", machine())?;
        writeln!(f, "- Versions: {}\n", self.versions.join(", "))
    }
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

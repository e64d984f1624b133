//! The process itself, as `/proc` describes it, under the names all Prometheus clients use.

use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{SysconfVar, sysconf};

use super::text;

/// Appends what can be read; what cannot is left out.
pub(super) fn render(page: &mut String) {
    if let Some(stat) = Stat::read() {
        metric(
            page,
            "process_cpu_seconds_total",
            "counter",
            "CPU time used.",
            stat.cpu_secs,
        );
        metric(
            page,
            "process_resident_memory_bytes",
            "gauge",
            "Memory resident in RAM.",
            stat.resident_bytes as f64,
        );
        if let Some(boot_unix) = boot_unix() {
            metric(
                page,
                "process_start_time_seconds",
                "gauge",
                "Start of the process since the Unix epoch.",
                boot_unix + stat.start_secs,
            );
        }
        metric(
            page,
            "process_threads",
            "gauge",
            "Threads.",
            stat.threads as f64,
        );
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The directory itself is open while it is read.
        let open = open.count().saturating_sub(1);
        metric(
            page,
            "process_open_fds",
            "gauge",
            "Open file descriptors.",
            open as f64,
        );
    }
    if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        metric(
            page,
            "process_max_fds",
            "gauge",
            "File descriptors allowed.",
            soft as f64,
        );
    }
}

fn metric(page: &mut String, name: &str, kind: &str, help: &str, value: f64) {
    text::head(page, name, kind, help);
    text::sample(page, name, &[], value);
}

/// The fields wanted of `/proc/self/stat`, proc_pid_stat(5).
struct Stat {
    cpu_secs: f64,
    threads: u64,
    /// Since boot.
    start_secs: f64,
    resident_bytes: u64,
}

impl Stat {
    fn read() -> Option<Stat> {
        let ticks_per_sec = sysconf(SysconfVar::CLK_TCK).ok().flatten()? as f64;
        let page_bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten()? as u64;
        Stat::parse(
            &fs::read_to_string("/proc/self/stat").ok()?,
            ticks_per_sec,
            page_bytes,
        )
    }

    fn parse(stat: &str, ticks_per_sec: f64, page_bytes: u64) -> Option<Stat> {
        // The second field is the program's name in parentheses and may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // The manual counts from 1 and the first field here is its third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            cpu_secs: (field(14)? + field(15)?) as f64 / ticks_per_sec,
            threads: field(20)?,
            start_secs: field(22)? as f64 / ticks_per_sec,
            resident_bytes: field(24)? * page_bytes,
        })
    }
}

/// When the kernel booted, in seconds since the Unix epoch.
fn boot_unix() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn a_name_full_of_parentheses_confuses_nobody() {
        let stat = "7 (a) R 9 (b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 1000 9 3 18446744073709551615";
        let stat = Stat::parse(stat, 100.0, 4096).expect("it parses");
        assert_eq!(stat.cpu_secs, 3.0);
        assert_eq!(stat.threads, 4);
        assert_eq!(stat.start_secs, 10.0);
        assert_eq!(stat.resident_bytes, 3 * 4096);
    }

    #[test]
    fn the_running_process_has_plausible_values() {
        let mut page = String::new();
        super::render(&mut page);
        let value = |name: &str| -> f64 {
            let line = page.lines().find(|line| line.starts_with(name));
            let (_, value) = line.expect(name).split_once(' ').expect("a value");
            value.parse().expect("a number")
        };
        let now = std::time::UNIX_EPOCH
            .elapsed()
            .expect("after 1970")
            .as_secs_f64();
        let age_secs = now - value("process_start_time_seconds ");
        assert!(
            (-2.0..3600.0).contains(&age_secs),
            "started {age_secs} s ago"
        );
        assert!(value("process_resident_memory_bytes ") > 1e6);
        assert!(value("process_cpu_seconds_total ") >= 0.0);
        assert!(value("process_open_fds ") >= 3.0);
        assert!(value("process_max_fds ") >= value("process_open_fds "));
        assert!(value("process_threads ") >= 2.0);
    }
}

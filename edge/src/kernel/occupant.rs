//! Whose program an interface has.

use std::fs;

use super::netlink;
use super::pin::Holder;

/// Processes looked at; on a machine with more the search gives up.
const PROCESSES_MAX: usize = 10_000;

/// A description of the XDP program that an interface has, as far as this process may see.
pub(super) fn of(interface: u32) -> String {
    let Ok(Some(program)) = netlink::program_of(interface) else {
        return "another XDP program".to_owned();
    };
    match holder(program) {
        Some(holder) => format!("XDP program {program} of {holder}"),
        None => format!("XDP program {program}"),
    }
}

/// A process with a descriptor of the program, or of a link to it: `/proc/PID/fdinfo`.
fn holder(program: u32) -> Option<Holder> {
    let line = format!("prog_id:\t{program}");
    let processes = fs::read_dir("/proc").ok()?.flatten().take(PROCESSES_MAX);
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| {
            let infos = fs::read_dir(format!("/proc/{pid}/fdinfo"));
            infos.into_iter().flatten().flatten().any(|info| {
                let text = fs::read_to_string(info.path()).unwrap_or_default();
                text.lines().any(|found| found == line)
            })
        })
        .and_then(Holder::from_pid)
}

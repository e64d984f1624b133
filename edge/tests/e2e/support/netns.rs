//! A pair of network namespaces joined by a veth, and ways to work inside them.
//!
//! Programs are started with `nsenter --net=`: `ip netns exec` would mount a fresh /sys and hide pinned maps.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use super::process::Process;

/// Namespaces `NAME-c` (clients) and `NAME-h` (the host that runs `edge`). Dropping it removes both.
pub(crate) struct Pair {
    pub(crate) client: String,
    pub(crate) host: String,
}

impl Pair {
    /// The address of the host.
    pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 1);
    /// The Ethernet address of its side of the veth.
    pub(crate) const HOST_MAC: &str = "02:00:0a:53:00:01";

    /// Makes the namespaces; the client side gets the addresses `10.83.0.2` to `10.83.0.N+1`.
    pub(crate) fn new(name: &str, addresses: u8) -> Pair {
        remove_abandoned();
        let prefix = format!("{PREFIX}{}-{name}", std::process::id());
        let pair = Pair {
            client: format!("{prefix}-c"),
            host: format!("{prefix}-h"),
        };
        let (c, h) = (&pair.client, &pair.host);
        ip(&format!("netns add {c}"));
        ip(&format!("netns add {h}"));
        ip(&format!(
            "link add veth-c netns {c} type veth peer name veth-h netns {h} address {}",
            Pair::HOST_MAC
        ));
        for last in 2..2 + addresses {
            ip(&format!("-n {c} addr add 10.83.0.{last}/24 dev veth-c"));
        }
        ip(&format!("-n {h} addr add {}/24 dev veth-h", Pair::HOST));
        for (netns, device) in [(c, "veth-c"), (h, "veth-h"), (c, "lo"), (h, "lo")] {
            ip(&format!("-n {netns} link set {device} up"));
        }
        pair
    }

    /// Packets of the clients that the pair has lost on the way, its queue being full: nobody saw them.
    pub(crate) fn lost(&self) -> u64 {
        let text = ip(&format!("-n {} -s -j link show dev veth-c", self.client));
        let links: serde_json::Value = serde_json::from_str(&text).expect("JSON, as asked for");
        let dropped = &links[0]["stats64"]["tx"]["dropped"];
        dropped.as_u64().unwrap_or_else(|| panic!("{text}"))
    }

    fn remove(&self) {
        for netns in [&self.client, &self.host] {
            if netns_path(netns).exists() {
                ip(&format!("netns delete {netns}"));
            }
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Starts the names of the tests' namespaces; the process id of their test run follows.
const PREFIX: &str = "edge-e2e-";

/// Removes the namespaces of test runs that were killed.
fn remove_abandoned() {
    let Ok(entries) = std::fs::read_dir("/run/netns") else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let rest = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'));
        if rest.is_some_and(|(pid, _)| !Path::new("/proc").join(pid).exists()) {
            ip(&format!("netns delete {name}"));
        }
    }
}

/// The command that runs `program`, inside a namespace if one is given.
pub(crate) fn command(netns: Option<&str>, program: &Path) -> Command {
    let Some(netns) = netns else {
        return Command::new(program);
    };
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net={}", netns_path(netns).display()))
        .arg(program);
    command
}

/// Starts a thread whose sockets belong to a namespace.
pub(crate) fn spawn_inside<T: Send + 'static>(
    netns: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    let path = netns_path(netns);
    std::thread::spawn(move || {
        let file = std::fs::File::open(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        setns(file, CloneFlags::CLONE_NEWNET).expect("root may enter namespaces");
        work()
    })
}

/// Runs `work` in a namespace and returns its result.
pub(crate) fn inside<T: Send + 'static>(
    netns: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    spawn_inside(netns, work)
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn netns_path(netns: &str) -> PathBuf {
    Path::new("/run/netns").join(netns)
}

/// Runs `ip`, which must succeed, and returns what it says.
pub(crate) fn ip(arguments: &str) -> String {
    let mut command = Command::new("ip");
    command.args(arguments.split(' '));
    let (code, stdout, stderr) = Process::run("ip", command, Duration::from_secs(10));
    assert_eq!(code, 0, "ip {arguments}: {stderr}");
    stdout
}

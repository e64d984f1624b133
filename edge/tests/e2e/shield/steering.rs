//! `steer = "cpu"`: a connection goes to the worker of the CPU that its packets come in on.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::scene::{CALLER, NO_ANSWER};
use crate::support::{Client, Demo, Pair, Setup, heavy, inside};

/// Connections a CPU, and requests over each.
const CONNECTIONS: u64 = 20;
const REQUESTS: u64 = 10;

/// How often each worker has gone to sleep, by its number.
fn switches(pid: u32) -> BTreeMap<usize, u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let worker = |path: &Path| {
        let name = fs::read_to_string(path.join("comm")).ok()?;
        let number = name.trim().strip_prefix("worker-")?.parse().ok()?;
        let status = fs::read_to_string(path.join("status")).ok()?;
        let count = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        Some((number, count.trim().parse().ok()?))
    };
    let workers = tasks.flatten().filter_map(|task| worker(&task.path()));
    workers.collect()
}

#[test]
fn a_connection_goes_to_the_worker_of_the_cpu_that_received_it() {
    let _machine = heavy();
    let pair = Pair::new("cpu", 1);
    let upstream = SocketAddr::from(([127, 0, 0, 1], 8000));
    let _demo = Demo::start_at(upstream, Some(&pair.host));
    let setup = Setup::new(upstream)
        .top("workers = 2")
        .listen("redirect = false\nsteer = \"cpu\"");
    let mut edge = setup.inside(&pair.host, Pair::HOST).start();
    let pid = edge.process.pid();
    assert_eq!(switches(pid).len(), 2);

    for cpu in [0, 1, 0] {
        // Receive packet steering: what the device gets is taken in by that CPU alone.
        let queue = "/sys/class/net/veth-h/queues/rx-0/rps_cpus";
        let set = format!("echo {} > {queue}", 1 << cpu);
        // It shows the namespace's own /sys.
        let status = Command::new("ip")
            .args(["netns", "exec", &pair.host, "sh", "-c", &set])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{set}");
        let before = switches(pid);
        inside(&pair.client, || {
            for _ in 0..CONNECTIONS {
                let http = SocketAddr::from((Pair::HOST, 80));
                let mut client =
                    Client::plain_from(CALLER.into(), http, NO_ANSWER).expect("edge listens");
                for _ in 0..REQUESTS {
                    let request = "GET /headers HTTP/1.1\r\nHost: localhost\r\n\r\n";
                    assert_eq!(client.exchange(request).status, 200);
                }
            }
        });
        let after = switches(pid);
        let more = |worker: usize| after[&worker] - before[&worker];
        let (own, other) = (more(cpu), more(1 - cpu));
        // Nearly each request is waited for; the other worker has its ticks and nothing else.
        assert!(own > CONNECTIONS * REQUESTS / 2, "CPU {cpu}: {own}");
        assert!(other < own / 4, "CPU {cpu}: {own}, and {other} elsewhere");
    }
    let log = edge.process.stderr();
    assert!(!log.contains("not by CPU"), "{log}");
    edge.assert_healthy();
}

//! An access log on a disk that is full, and that is emptied under it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{Process, Setup, Upstream, light, wait_until};

const LIMIT: Duration = Duration::from_secs(20);
const GET: &str = "GET /of-some-length HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A disk of its own, as small as they come.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: PathBuf) -> Disk {
        fs::create_dir(&path).expect("our own directory");
        run("mount -t tmpfs -o size=64k,mode=755 tmpfs", &path);
        Disk(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Also while its log is still open.
        run("umount --lazy", &self.0);
    }
}

fn run(command: &str, path: &Path) {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().expect("there is one"));
    command.args(words).arg(path);
    let (code, _, stderr) = Process::run("mount", command, LIMIT);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn what_does_not_fit_is_counted_and_what_comes_later_is_whole() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let disk = Disk::mount(setup.dir.path().join("disk"));
    let log = disk.0.join("access.log");
    let mut edge = setup.section("log", "access = \"disk/access.log\"").start();
    let mut client = edge.plain();
    let dropped = || edge.metrics().sum("edge_access_log_dropped_total", &[]) as usize;
    let text = || fs::read_to_string(&log).expect("lines are text");
    let mut sent = 0;
    let mut ask = |count: usize| {
        for _ in 0..count {
            assert_eq!(client.exchange(GET).status, 200);
        }
        sent += count;
        sent
    };
    // Some of them fit: 64 KiB are less than 500 lines.
    let sent = ask(1000);
    let is_counted = || text().matches('\n').count() + dropped() == sent;
    assert!(wait_until(LIMIT, is_counted), "{} lost", dropped());
    let lost = dropped();
    assert!((100..1000).contains(&lost), "{lost}");

    // As `copytruncate` of logrotate does it.
    fs::write(&log, "").expect("a file can be emptied on a full disk");
    ask(10);
    let lines = || text().matches("}\n").count();
    assert!(wait_until(LIMIT, || lines() == 10), "{}", text());
    for line in text().lines().filter(|line| !line.is_empty()) {
        let line: serde_json::Value = serde_json::from_str(line).expect("it is whole");
        assert_eq!(line["path"], "/of-some-length");
    }
    assert_eq!(dropped(), lost);
    assert!(
        edge.process
            .output()
            .contains("access log lines are being lost"),
        "{}",
        edge.process.output()
    );
    edge.assert_healthy();
}

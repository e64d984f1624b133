//! Another configuration while it runs: in force as a whole or not at all, and nobody is cut off.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{
    ALPN_H1, Answer, Authority, Client, Demo, Edge, Process, Setup, Upstream, free_port, light,
    status_field, wait_until,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn says(text: &str) -> Upstream {
    let length = text.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}");
    Upstream::start(Answer::Keep(head.into_bytes()))
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("we own it");
}

#[test]
fn requests_go_where_the_file_says_now() {
    let _machine = light();
    let (old, new) = (says("old"), says("new"));
    let edge = Setup::new(old.address).start();
    let mut client = edge.tls();
    assert_eq!(client.exchange(GET).text(), "old");

    let moved = edge
        .config()
        .replace(&old.address.to_string(), &new.address.to_string());
    edge.rewrite(&moved);
    assert_eq!(client.exchange(GET).text(), "old", "until it is told");
    edge.reload();
    assert_eq!(client.exchange(GET).text(), "new", "on the same connection");
    assert_eq!(edge.tls().exchange(GET).text(), "new");

    edge.rewrite(&edge.config());
    edge.process.signal(Signal::SIGHUP);
    let back = wait_until(Duration::from_secs(5), || {
        client.exchange(GET).text() == "old"
    });
    assert!(back, "SIGHUP reloads as well\n{}", edge.process.output());
}

#[test]
fn a_bad_configuration_changes_nothing_and_says_where() {
    let _machine = light();
    let upstream = says("served");
    let setup = Setup::new(upstream.address);
    std::fs::write(setup.dir.path().join("404.html"), "none").expect("our own folder");
    let edge = setup
        .hosts("[[host]]\nnames = [\"pages.test\"]\nerror_pages = [\"404: 404.html\"]\n[[host.route]]\nrespond = 404\n")
        .start();
    let mut client = edge.tls();
    for (from, to, text) in [
        (
            "path = \"/\"",
            "path = \"nowhere\"",
            "edge.toml:14:8: `path`",
        ),
        (
            "key = \"localhost.key\"",
            "key = \"missing.key\"",
            "missing.key does not exist",
        ),
        ("[upstream.origin]", "[upstream.orgin]", "edge.toml:"),
    ] {
        edge.rewrite(&edge.config().replace(from, to));
        let (code, output) = edge.command(&["reload"]);
        assert_eq!(code, 2, "{output}");
        assert!(output.contains(text), "no {text:?} in {output}");
        assert!(output.contains("everything stays as it was"), "{output}");
        // What it names is only opened where it makes sense: that is no error of its own.
        assert!(!output.contains("404.html"), "{output}");
        assert_eq!(client.exchange(GET).text(), "served");
        assert_eq!(edge.tls().exchange(GET).text(), "served");
    }
    let log = edge.process.stderr();
    assert!(log.contains("edge.toml:14:8: `path`"), "{log}");
    edge.rewrite(&edge.config());
    edge.reload();
}

#[test]
fn a_request_in_flight_ends_as_it_began() {
    let _machine = light();
    let demo = Demo::start();
    let other = says("other");
    let edge = Setup::new(demo.address).start();
    let mut stream = edge.tls();
    stream.send("GET /sse?interval_ms=100&n=30 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.read_until("\"seq\":0", Duration::from_secs(5));
    let moved = edge
        .config()
        .replace(&demo.address.to_string(), &other.address.to_string());
    edge.rewrite(&moved);
    edge.reload();
    assert_eq!(edge.tls().exchange(GET).text(), "other");
    stream.read_until("\"seq\":29", Duration::from_secs(10));
    stream.read_until("\r\n0\r\n\r\n", Duration::from_secs(5));
    assert_eq!(
        stream.exchange(GET).text(),
        "other",
        "and then goes elsewhere"
    );
}

#[test]
fn sockets_come_and_go_with_their_addresses() {
    let _machine = light();
    let upstream = says("ok");
    let edge = Setup::new(upstream.address).start();
    let added = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), free_port());
    let both = format!("http = [\"{}\", \"{added}\"]", edge.http);
    let one = format!("http = [\"{}\"]", edge.http);
    edge.rewrite(&edge.config().replace(&one, &both));
    edge.reload();
    let mut kept = Client::plain(added);
    assert_eq!(kept.exchange(GET).text(), "ok");
    assert_eq!(edge.plain().exchange(GET).text(), "ok");

    edge.rewrite(&edge.config());
    edge.reload();
    let refused = wait_until(Duration::from_secs(5), || {
        TcpStream::connect_timeout(&added, Duration::from_secs(1)).is_err()
    });
    assert!(refused, "{added} is still listened on");
    assert_eq!(kept.exchange(GET).text(), "ok", "connections stay open");
    assert_eq!(edge.plain().exchange(GET).text(), "ok");

    let taken = std::net::TcpListener::bind(added).expect("it is free again");
    edge.rewrite(&edge.config().replace(&one, &both));
    let (code, output) = edge.command(&["reload"]);
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("the port is in use"), "{output}");
    drop(taken);
    edge.reload();
    assert_eq!(Client::plain(added).exchange(GET).text(), "ok");
}

/// The keeper's job: what only root may read and bind, long after root has been given up.
#[test]
fn what_only_root_may_do_is_done_on_reload() {
    let _machine = light();
    let upstream = says("ok");
    let setup = Setup::new(upstream.address);
    set_mode(&setup.dir.path().join("localhost.key"), 0o600);
    let edge = setup.start();
    let held = status_field(edge.process.pid(), "CapPrm");
    assert_eq!(u64::from_str_radix(&held, 16), Ok(0), "{held}");
    let renewed = Authority::new();
    renewed.leaf(edge.dir(), "localhost", &["localhost"]);
    set_mode(&edge.file("localhost.key"), 0o600);
    // Only root may read the configuration from now on as well.
    edge.rewrite(&edge.config());
    set_mode(&edge.file("edge.toml"), 0o600);
    let mut before = edge.tls();
    edge.reload();
    assert_eq!(before.exchange(GET).text(), "ok");
    let mut after = Client::tls(edge.https, "localhost", &renewed.roots(), ALPN_H1);
    assert_eq!(after.exchange(GET).text(), "ok");

    let low = low_port();
    let one = format!("http = [\"{}\"]", edge.http);
    let both = format!("http = [\"{}\", \"{low}\"]", edge.http);
    edge.rewrite(&edge.config().replace(&one, &both));
    edge.reload();
    assert_eq!(Client::plain(low).exchange(GET).text(), "ok");
}

#[test]
fn a_renewed_certificate_is_taken_over_by_itself() {
    let _machine = light();
    let upstream = says("ok");
    let setup = Setup::new(upstream.address);
    set_mode(&setup.dir.path().join("localhost.key"), 0o600);
    let edge = setup.start();
    let ends = |year: i32| {
        let not_after = edge
            .metrics()
            .sum("edge_certificate_not_after_seconds", &["localhost"]);
        (not_after / 31_556_952.0) as i32 + 1970 == year
    };
    assert!(ends(2090), "{}", edge.metrics().text);
    let mut open = edge.tls();
    assert_eq!(open.exchange(GET).text(), "ok");
    // A pair that does not belong together, as in the middle of a renewal.
    let old_key = std::fs::read(edge.file("localhost.key")).expect("our own");
    let renewed = Authority::new();
    renewed.leaf_until(edge.dir(), "localhost", &["localhost"], 2080);
    let new_key = std::fs::read(edge.file("localhost.key")).expect("our own");
    std::fs::write(edge.file("localhost.key"), old_key).expect("our own");
    let warned = || edge.process.stderr().contains("the old ones stay");
    assert!(
        wait_until(Duration::from_secs(20), warned),
        "{}",
        edge.process.output()
    );
    assert_eq!(edge.tls().exchange(GET).text(), "ok");
    std::fs::write(edge.file("localhost.key"), new_key).expect("our own");
    let renewed_by_itself = wait_until(Duration::from_secs(20), || {
        Client::try_tls(edge.https, "localhost", &renewed.roots(), ALPN_H1).is_ok()
    });
    assert!(renewed_by_itself, "{}", edge.process.output());
    assert_eq!(open.exchange(GET).text(), "ok");
    assert!(ends(2080), "{}", edge.metrics().text);
}

/// A port of the loopback network that takes a privilege.
fn low_port() -> SocketAddr {
    let [a, b] = (std::process::id() as u16).to_be_bytes();
    SocketAddr::new(Ipv4Addr::new(127, 77, a, b).into(), 443)
}

#[test]
fn the_keeper_holds_little_and_leaves_with_its_parent() {
    let _machine = light();
    let upstream = says("ok");
    let mut edge = Setup::new(upstream.address).start();
    let keeper = keeper_of(&edge);
    let held = u64::from_str_radix(&status_field(keeper, "CapPrm"), 16).expect("hexadecimal");
    // CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF.
    let allowed = 1 << 2 | 1 << 10 | 1 << 12 | 1 << 38 | 1 << 39;
    assert_eq!(held & !allowed, 0, "the keeper holds {held:x}");
    assert_eq!(status_field(keeper, "NoNewPrivs"), "1");
    assert_eq!(status_field(keeper, "Threads"), "1");
    // systemctl kill reaches every process of a service.
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGTERM] {
        let pid = nix::unistd::Pid::from_raw(keeper.cast_signed());
        nix::sys::signal::kill(pid, signal).expect("it runs");
    }
    edge.reload();
    edge.process.signal(Signal::SIGKILL);
    edge.process.wait(Duration::from_secs(5));
    let gone = wait_until(Duration::from_secs(5), || !is_running(keeper));
    assert!(gone, "the keeper {keeper} has outlived its parent");
    // Its end was no good one, and was meant to be so.
    std::fs::remove_dir_all(edge.dir()).expect("we own it");
    std::mem::forget(edge);
}

fn keeper_of(edge: &Edge) -> u32 {
    let path = format!("/proc/{0}/task/{0}/children", edge.process.pid());
    let children = std::fs::read_to_string(path).expect("procfs");
    children.trim().parse().expect("one child")
}

fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_session_is_resumed_across_a_reload() {
    let _machine = light();
    let upstream = says("ok");
    let edge = Setup::new(upstream.address).start();
    let session = edge.file("session.pem").display().to_string();
    for version in ["-tls1_3", "-tls1_2"] {
        let first = s_client(&edge, &[version, "-sess_out", &session]);
        assert!(first.contains("New, TLSv1."), "{first}");
        edge.reload();
        let second = s_client(&edge, &[version, "-sess_in", &session]);
        assert!(second.contains("Reused, TLSv1."), "{second}");
    }
}

/// Runs `openssl s_client` through one request.
fn s_client(edge: &Edge, arguments: &[&str]) -> String {
    let script = format!(
        "(printf 'GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n'; sleep 0.5) | \
         openssl s_client -connect {} -servername localhost -CAfile {} {}",
        edge.https,
        edge.file("ca.pem").display(),
        arguments.join(" ")
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let (_, stdout, stderr) = Process::run("openssl", command, Duration::from_secs(10));
    stdout + &stderr
}

#[test]
fn a_rotated_log_is_opened_anew() {
    let _machine = light();
    let upstream = says("ok");
    let setup = Setup::new(upstream.address);
    // A directory in which only root may make files.
    let logs = setup.dir.path().join("logs");
    std::fs::create_dir(&logs).expect("our own directory is writable");
    set_mode(&logs, 0o755);
    let edge = setup.section("log", "access = \"logs/access.log\"").start();
    let (log, rotated) = (logs.join("access.log"), logs.join("access.log.1"));
    let lines = |path: &Path| std::fs::read_to_string(path).map_or(0, |text| text.lines().count());
    edge.plain().exchange(GET);
    assert!(wait_until(Duration::from_secs(5), || lines(&log) == 1));
    std::fs::rename(&log, &rotated).expect("we own it");
    edge.plain().exchange(GET);
    assert!(wait_until(Duration::from_secs(5), || lines(&rotated) == 2));
    edge.process.signal(Signal::SIGUSR1);
    assert!(
        wait_until(Duration::from_secs(5), || log.exists()),
        "{}",
        edge.process.output()
    );
    edge.plain().exchange(GET);
    assert!(wait_until(Duration::from_secs(5), || lines(&log) == 1));
    assert_eq!(lines(&rotated), 2);
}

#[test]
fn what_takes_a_restart_is_said() {
    let _machine = light();
    let upstream = says("ok");
    let edge = Setup::new(upstream.address).start();
    edge.rewrite(&edge.config().replace("workers = 1", "workers = 2"));
    let (code, output) = edge.command(&["reload"]);
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("`workers` takes effect with a restart; until then it stays 1"),
        "{output}"
    );
}

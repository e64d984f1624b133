//! The shield outlives the program, and goes when it is told to.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::scene::{CALLER, HTTPS, NO_ANSWER, Scene};
use crate::support::{
    ALPN_H1, Client, Flood, Pair, Pin, Process, SYN, Setup, edge_binary, heavy, inside,
    netns_command, status_field,
};

const ABUSER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 4);

/// TCP segments that have reached the host's protocol stack.
fn segments(netns: &str) -> u64 {
    let table = inside(netns, || {
        std::fs::read_to_string("/proc/thread-self/net/snmp")
    });
    let table = table.expect("procfs");
    let mut rows = table.lines().filter(|line| line.starts_with("Tcp:"));
    let mut row = || rows.next().expect("two rows").split(' ');
    let (names, values) = (row(), row());
    let mut columns = names.zip(values);
    let (_, value) = columns
        .find(|(name, _)| *name == "InSegs")
        .expect("a count");
    value.parse().expect("a number")
}

#[test]
fn a_killed_edge_leaves_no_gap_and_the_next_one_takes_over() {
    let _machine = heavy();
    let mut scene = Scene::new("kill", "requests = \"off\"");
    let (code, output) = scene
        .edge
        .command(&["ban", &ABUSER.to_string(), "--for", "10m"]);
    assert_eq!(code, 0, "{output}");
    assert!(!scene.https_answers(ABUSER, Duration::from_millis(300)));

    let flood = Flood::start(&scene.pair.client, ABUSER, HTTPS, SYN);
    let before = segments(&scene.pair.host);
    for _ in 0..3 {
        scene.edge.process.signal(Signal::SIGKILL);
        scene.edge.process.wait(Duration::from_secs(5));
        assert!(scene.edge.pin().status()["interfaces"][0]["attached"] == true);
        std::thread::sleep(Duration::from_millis(100));
        scene.edge.start_again();
    }
    let after = segments(&scene.pair.host);
    let sent = flood.stop();
    assert!(sent > 10_000, "{sent} packets are no flood");
    assert_eq!(after - before, 0, "of {sent} packets, so many got through");
    assert!(scene.edge.process.stderr().contains("took over the shield"));

    assert!(!scene.https_answers(ABUSER, Duration::from_millis(300)));
    let (_, bans) = scene.edge.command(&["bans"]);
    assert!(bans.contains(&ABUSER.to_string()), "{bans}");
    assert!(scene.https_answers(CALLER, NO_ANSWER));
    // What was counted before is not forgotten.
    assert!(scene.dropped(&["banned"]) > 1000.0);
}

#[test]
fn a_stop_leaves_the_shield_and_detach_or_off_removes_it() {
    let _machine = heavy();
    let mut scene = Scene::new("stop", "requests = \"off\"");
    let pin = scene.edge.pin().to_string();
    let log = scene.edge.process.stderr();
    let made =
        format!("\"message\":\"made a directory for what is pinned\",\"directory\":\"{pin}\"");
    assert!(log.contains(&made), "{log}");
    // Both are for its own account, and the socket for its group.
    let mode = |path: &Path| {
        let metadata = std::fs::symlink_metadata(path).expect("it is there");
        std::os::unix::fs::MetadataExt::mode(&metadata) & 0o7777
    };
    assert_eq!(mode(Path::new(&pin)), 0o700);
    assert_eq!(mode(&scene.edge.file("admin.sock")), 0o660);
    let stop = |scene: &mut Scene| {
        scene.edge.process.signal(Signal::SIGTERM);
        assert!(scene.edge.process.wait(Duration::from_secs(8)).success());
        let log = scene.edge.process.stderr();
        let hint = format!("edge shield detach --pin {pin}");
        assert!(log.contains(&hint), "{log}");
    };
    let held = scene.edge.pin().command(&["detach"]);
    assert_eq!(held.0, 1, "{}", held.1);
    assert!(
        held.1.contains("add --force") && held.1.contains("another edge uses"),
        "{}",
        held.1
    );
    let (code, output) = scene
        .edge
        .command(&["ban", &ABUSER.to_string(), "--for", "10m"]);
    assert_eq!(code, 0, "{output}");
    stop(&mut scene);

    let left = scene.edge.pin().status();
    assert_eq!(left["pid"], serde_json::Value::Null);
    assert_eq!(left["bans"], 1);
    assert_eq!(left["interfaces"][0]["mode"], "native");
    let (code, output) = scene.edge.pin().command(&["detach"]);
    assert!(
        code == 0 && output.contains("detached from veth-h"),
        "{output}"
    );
    assert_eq!(scene.edge.pin().status(), serde_json::Value::Null);
    assert!(!Path::new(&pin).exists());

    scene.edge.start_again();
    assert!(!scene.edge.process.stderr().contains("took over"));
    stop(&mut scene);
    scene.edge.change("shield", "mode = \"off\"");
    scene.edge.start_again();
    let log = scene.edge.process.stderr();
    assert!(
        log.contains("removed the shield of an earlier run"),
        "{log}"
    );
    assert!(!Path::new(&pin).exists());
    assert!(scene.edge.metrics().shield_is_off());
}

#[test]
fn two_of_them_on_one_interface_or_in_one_directory_are_refused() {
    let _machine = heavy();
    let scene = Scene::new("two", "requests = \"off\"");
    let pid = format!("process {}", scene.edge.process.pid());
    let second = || {
        Setup::new(SocketAddr::from(([127, 0, 0, 1], 8000)))
            .inside(&scene.pair.host, Pair::HOST)
            .https_at(SocketAddr::from((Pair::HOST, 8443)))
            .http_at(SocketAddr::from((Pair::HOST, 8080)))
    };
    let shield = "mode = \"native\"\ninterfaces = [\"veth-h\"]\nrequired = true";
    let (code, _, log) = second().section("shield", shield).run_to_exit();
    assert_eq!(code, 1, "{log}");
    assert!(
        log.contains("is attached to `veth-h` already") && log.contains(&pid),
        "{log}"
    );

    let mut same = second().section("shield", shield);
    same.pin = scene.edge.pin().shared();
    let (code, _, log) = same.run_to_exit();
    assert_eq!(code, 1, "{log}");
    assert!(
        log.contains("another edge uses") && log.contains(&pid),
        "{log}"
    );
    assert!(scene.edge.pin().status()["interfaces"][0]["attached"] == true);
    assert!(scene.https_answers(CALLER, NO_ANSWER));
}

#[test]
fn three_capabilities_are_enough() {
    let _machine = heavy();
    let pair = Pair::new("caps", 2);
    let https = SocketAddr::from((Pair::HOST, 8443));
    let setup = Setup::new("127.0.0.1:8000")
        .inside(&pair.host, Pair::HOST)
        .https_at(https)
        .http_at(SocketAddr::from((Pair::HOST, 8080)))
        .section(
            "shield",
            "mode = \"native\"\ninterfaces = [\"veth-h\"]\nrequired = true",
        );
    let config = setup.write();
    // The account's: it owns nothing here but must be able to read the key and make its socket.
    let key = setup.dir.path().join("localhost.key");
    std::os::unix::fs::chown(key, Some(65_534), None).expect("root may");
    let mut edge = setup.start_as(with_three_capabilities(&pair, &config));
    let labels = ["mode=\"native\"", "interface=\"veth-h\""];
    assert_eq!(edge.metrics().sum("edge_shield_attached", &labels), 1.0);
    let (code, output) = edge.command(&["ban", &ABUSER.to_string(), "--for", "1m"]);
    assert_eq!(code, 0, "{output}");
    let roots = edge.authority().roots();
    inside(&pair.client, move || {
        let client = Client::plain_from(CALLER.into(), https, NO_ANSWER);
        let client = client.expect("not banned");
        client.into_tls(&roots, ALPN_H1).expect("a handshake");
    });
    // Where its account may not write, the shield ends with it, and it says so.
    let log = edge.process.stderr();
    assert!(log.contains("the shield ends with this process"), "{log}");
    edge.assert_healthy();
}

/// The command that runs `edge` as nobody in particular, with what the shield takes and nothing else.
fn with_three_capabilities(pair: &Pair, config: &Path) -> std::process::Command {
    let mut command = netns_command(Some(&pair.host), Path::new("setpriv"));
    let capabilities = "-all,+bpf,+net_admin,+perfmon";
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
        command.arg(set).arg(capabilities);
    }
    command.arg(edge_binary());
    command.arg("run").arg("--config").arg(config);
    command
}

/// A BPF file system of a test's own, into which everybody can look.
struct FileSystem(tempfile::TempDir);

impl FileSystem {
    fn mount() -> FileSystem {
        // No dot in its name: the BPF file system takes none.
        let dir = tempfile::Builder::new().prefix("edge-e2e-").tempdir();
        let dir = dir.expect("a directory");
        let (flags, mode) = (nix::mount::MsFlags::empty(), Some("mode=0755"));
        nix::mount::mount(Some("bpf"), dir.path(), Some("bpf"), flags, mode).expect("root may");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).expect("we own it");
        FileSystem(dir)
    }
}

impl Drop for FileSystem {
    fn drop(&mut self) {
        let gone = nix::mount::umount(self.0.path());
        if !std::thread::panicking() {
            gone.expect("nothing uses it any more");
        }
    }
}

#[test]
fn an_account_with_three_capabilities_pins_and_takes_over() {
    let _machine = heavy();
    let file_system = FileSystem::mount();
    let pair = Pair::new("pins", 4);
    // As the service manager makes it for the account.
    let pin = file_system.0.path().join("edge");
    std::fs::create_dir(&pin).expect("root may");
    std::os::unix::fs::chown(&pin, Some(65_534), Some(65_534)).expect("root may");
    let mut setup = Setup::new("127.0.0.1:8000")
        .inside(&pair.host, Pair::HOST)
        .https_at(SocketAddr::from((Pair::HOST, 8443)))
        .http_at(SocketAddr::from((Pair::HOST, 8080)))
        .section(
            "shield",
            "mode = \"native\"\ninterfaces = [\"veth-h\"]\nrequired = true",
        );
    setup.pin = Pin::at(&pin);
    let config = setup.write();
    let key = setup.dir.path().join("localhost.key");
    std::os::unix::fs::chown(key, Some(65_534), None).expect("root may");
    let mut edge = setup.start_as(with_three_capabilities(&pair, &config));
    assert_eq!(
        status_field(edge.process.pid(), "Uid")
            .split_whitespace()
            .next(),
        Some("65534")
    );
    let log = edge.process.stderr();
    assert!(log.contains("the shield outlives this process"), "{log}");
    let (code, output) = edge.command(&["ban", &ABUSER.to_string(), "--for", "10m"]);
    assert_eq!(code, 0, "{output}");

    edge.process.signal(Signal::SIGKILL);
    edge.process.wait(Duration::from_secs(5));
    let left = edge.pin().status();
    assert_eq!(
        (&left["pid"], &left["bans"]),
        (&serde_json::Value::Null, &1.into())
    );
    assert!(left["interfaces"][0]["attached"] == true, "{left}");

    edge.process = Process::start("edge", with_three_capabilities(&pair, &config));
    edge.process.wait_for("ready", Duration::from_secs(10));
    let log = edge.process.stderr();
    assert!(log.contains("took over the shield"), "{log}");
    let (_, bans) = edge.command(&["bans"]);
    assert!(bans.contains(&ABUSER.to_string()), "{bans}");
    edge.assert_healthy();
}

//! Starting and stopping: clear errors with the right exit code, privileges given up, a graceful end.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rustls::crypto::aws_lc_rs::kx_group;
use rustls::{ClientConfig, ClientConnection, NamedGroup};

use crate::support::{
    Authority, Demo, End, H2, Process, Setup, Upstream, edge_binary, light, status_field,
};

/// The configuration cannot work.
const CONFIG: i32 = 2;
/// The machine does not let it work.
const ENVIRONMENT: i32 = 1;

/// An address nobody is asked at: these runs end before they serve.
const NOBODY: &str = "127.0.0.1:1";

/// Runs a setup that must fail: right exit code, quickly, every text in one short message, no panic.
fn assert_fails(setup: &Setup, code: i32, texts: &[&str]) {
    let start = Instant::now();
    let (exit, stdout, stderr) = setup.run_to_exit();
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "it took {:?} to fail",
        start.elapsed()
    );
    assert_eq!(exit, code, "{stdout}{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    for text in texts {
        assert!(stderr.contains(text), "no {text:?} in {stderr}");
    }
    let lines = stderr.lines().filter(|line| line.contains("rror")).count();
    assert!(
        stderr.len() < 1500 && lines <= 2,
        "not one clear message: {stderr}"
    );
}

#[test]
fn a_certificate_that_ends_soon_is_told() {
    const DAY: Duration = Duration::from_secs(86_400);
    let _machine = light();
    for (days, warns) in [(13, true), (15, false)] {
        let setup = Setup::new(NOBODY);
        let (dir, names) = (setup.dir.path(), ["localhost"]);
        Authority::new().leaf_for(dir, "localhost", &names, DAY * days + DAY / 2);
        let mut check = Command::new(edge_binary());
        let check = check.arg("check").arg(setup.write()).output();
        let check = check.expect("edge is built");
        let said = String::from_utf8_lossy(&check.stderr).into_owned();
        assert!(check.status.success(), "{said}");
        let running = setup.start();
        let logged = running.process.stderr();
        for said in [said, logged] {
            let told =
                said.contains("localhost.pem") && said.contains(&format!("({days} days left)"));
            assert_eq!(told, warns, "{days}: {said}");
        }
    }
}

#[test]
fn bad_configurations_exit_with_2() {
    let _machine = light();
    assert_fails(
        &Setup::new(NOBODY).top("workres = 1"),
        CONFIG,
        &["edge.toml", "workres", "workers"],
    );
    assert_fails(
        &Setup::new(NOBODY).top("workers = \"many\""),
        CONFIG,
        &["edge.toml", "workers", "many"],
    );
    assert_fails(
        &Setup::new(NOBODY).top("workers = = 1"),
        CONFIG,
        &["edge.toml", "1"],
    );
    assert_fails(
        &Setup::new(NOBODY).section("limit", "requests = \"5 per s\""),
        CONFIG,
        &["requests", "5 per s"],
    );
    assert_fails(&Setup::new("not an address"), CONFIG, &["not an address"]);
    let route = "[[host.route]]\npath = \"/x\"\nupstream = \"orign\"\n";
    assert_fails(
        &Setup::new(NOBODY).more_routes(route),
        CONFIG,
        &["orign", "origin"],
    );
}

#[test]
fn a_missing_configuration_is_an_error_of_its_own() {
    let _machine = light();
    let mut command = Command::new(edge_binary());
    command.args(["run", "--config", "/nonexistent/edge.toml"]);
    let (exit, _, stderr) = Process::run("edge", command, Duration::from_secs(5));
    assert!(matches!(exit, CONFIG | ENVIRONMENT), "{exit}: {stderr}");
    assert!(stderr.contains("/nonexistent/edge.toml"), "{stderr}");
    let mut command = Command::new(edge_binary());
    command.arg("no-such-command");
    assert_eq!(Process::run("edge", command, Duration::from_secs(5)).0, 2);
}

#[test]
fn check_says_what_run_would() {
    let _machine = light();
    let check = |setup: &Setup| {
        let mut command = Command::new(edge_binary());
        command.arg("check").arg(setup.write());
        Process::run("edge", command, Duration::from_secs(5))
    };
    let (exit, _, stderr) = check(&Setup::new(NOBODY));
    assert_eq!(exit, 0, "{stderr}");
    // Every error at once, each with its line.
    let bad = Setup::new(NOBODY)
        .top("workres = 1")
        .section("bounds", "haed = \"1KiB\"");
    let (exit, stdout, stderr) = check(&bad);
    let said = stdout + &stderr;
    assert_eq!(exit, CONFIG, "{said}");
    for text in ["workres", "haed", "edge.toml"] {
        assert!(said.contains(text), "no {text:?} in {said}");
    }
    let line = bad
        .render()
        .lines()
        .position(|line| line.starts_with("haed"))
        .expect("it is there")
        + 1;
    assert!(said.contains(&line.to_string()), "no line {line} in {said}");
}

#[test]
fn bad_certificates_are_named() {
    let _machine = light();
    let with = |change: &dyn Fn(&Authority, &Path)| {
        let setup = Setup::new(NOBODY);
        change(&setup.authority, setup.dir.path());
        setup
    };
    let remove = |name: &'static str| {
        with(&move |_, dir| std::fs::remove_file(dir.join(name)).expect("it was there"))
    };
    let code = |setup: &Setup| setup.run_to_exit().0;
    let missing = remove("localhost.pem");
    assert_fails(&missing, code(&missing), &["localhost.pem"]);
    let missing = remove("localhost.key");
    assert_fails(&missing, code(&missing), &["localhost.key"]);
    let mismatched = with(&|authority, dir| {
        authority.leaf(dir, "other", &["localhost"]);
        std::fs::rename(dir.join("other.key"), dir.join("localhost.key")).expect("same directory");
    });
    assert_fails(&mismatched, code(&mismatched), &["localhost.key"]);
    let garbage =
        with(&|_, dir| std::fs::write(dir.join("localhost.pem"), "no PEM").expect("writable"));
    assert_fails(&garbage, code(&garbage), &["localhost.pem"]);
    for setup in [missing, mismatched, garbage] {
        assert!(matches!(code(&setup), CONFIG | ENVIRONMENT));
    }
}

/// Runs `edge` as `nobody` without any capability, from a place that `nobody` can reach.
fn unprivileged(setup: &Setup) -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=nobody",
        "--regid=nogroup",
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ]);
    // The build directory may be closed to others.
    let program = setup.dir.path().join("edge");
    std::fs::copy(edge_binary(), &program).expect("our own directory is writable");
    command
        .arg(program)
        .arg("run")
        .arg("--config")
        .arg(setup.write());
    command
}

#[test]
fn an_unreadable_key_is_named() {
    let _machine = light();
    let setup = Setup::new(NOBODY);
    let key = setup.dir.path().join("localhost.key");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key, mode).expect("we own it");
    let (exit, _, stderr) = Process::run("edge", unprivileged(&setup), Duration::from_secs(5));
    assert!(matches!(exit, CONFIG | ENVIRONMENT), "{exit}: {stderr}");
    assert!(
        stderr.contains("localhost.key") && stderr.to_lowercase().contains("permission denied"),
        "{stderr}"
    );
}

#[test]
fn a_port_in_use_is_named() {
    let _machine = light();
    let taken = TcpListener::bind("127.0.0.1:0").expect("the loopback address can be bound");
    let address = taken.local_addr().expect("it is bound").to_string();
    let setup = Setup::new(NOBODY).section("metrics", &format!("listen = \"{address}\""));
    assert_fails(&setup, ENVIRONMENT, &[&address, "in use"]);
    let setup = Setup::new(NOBODY).https_at(taken.local_addr().expect("it is bound"));
    assert_fails(&setup, ENVIRONMENT, &[&address, "in use"]);
}

#[test]
fn a_second_instance_on_the_same_ports_is_refused() {
    let _machine = light();
    let upstream = Upstream::ok();
    // SO_REUSEPORT between workers must not let a second process take half of the connections.
    let edge = Setup::new(upstream.address).start();
    let second = Setup::new(upstream.address).https_at(edge.https);
    assert_fails(&second, ENVIRONMENT, &[&edge.https.to_string()]);
    for _ in 0..20 {
        assert_eq!(
            edge.tls()
                .exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .status,
            200
        );
    }
}

#[test]
fn without_bpf_it_serves_unless_the_shield_is_required() {
    let _machine = light();
    let upstream = Upstream::ok();
    let shield = "mode = \"auto\"\ninterfaces = [\"lo\"]";
    let strict =
        Setup::new(upstream.address).section("shield", &format!("{shield}\nrequired = true"));
    let (exit, _, stderr) = Process::run("edge", unprivileged(&strict), Duration::from_secs(5));
    assert_eq!(exit, ENVIRONMENT, "{stderr}");
    assert!(stderr.to_lowercase().contains("shield"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");

    let lenient = Setup::new(upstream.address).section("shield", shield);
    let command = unprivileged(&lenient);
    let edge = lenient.start_as(command);
    assert_eq!(
        edge.tls()
            .exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .status,
        200
    );
    let page = edge.metrics();
    assert!(page.shield_is_off(), "{}", page.text);
    assert!(
        edge.process.stderr().to_lowercase().contains("shield"),
        "{}",
        edge.process.stderr()
    );
}

#[test]
fn privileges_are_gone_after_start() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address).start();
    let nobody = nix::unistd::User::from_name("nobody")
        .expect("readable")
        .expect("it exists")
        .uid;
    let tasks = std::fs::read_dir(format!("/proc/{}/task", edge.process.pid())).expect("it runs");
    for task in tasks {
        let thread = task
            .expect("readable")
            .file_name()
            .to_string_lossy()
            .parse()
            .expect("a number");
        let ids = status_field(thread, "Uid");
        assert!(
            ids.split_whitespace().all(|id| id == nobody.to_string()),
            "thread {thread}: {ids}"
        );
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            let bits = u64::from_str_radix(&status_field(thread, set), 16).expect("hexadecimal");
            assert_eq!(bits, 0, "thread {thread} holds {set} {bits:x}");
        }
        assert_eq!(status_field(thread, "NoNewPrivs"), "1", "thread {thread}");
    }
    assert_eq!(
        edge.plain()
            .exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .status,
        200
    );
}

#[test]
fn directories_that_are_made_are_named() {
    let _machine = light();
    let demo = Demo::start();
    let setup = Setup::new(demo.address);
    let directory = setup.dir.path().join("run/edge");
    let socket = directory.join("admin.sock");
    let admin = format!("socket = \"{}\"", socket.display());
    let edge = setup.section("admin", &admin).start();
    assert!(socket.exists());
    let log = edge.process.stderr();
    let made = format!("\"directory\":\"{}\"", directory.display());
    let line = log.lines().find(|line| line.contains(&made));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(
        line.contains("made a directory for the admin socket"),
        "{line}"
    );
}

/// Of a client that begins with it, as browsers do; those that do not know it are served all the same.
#[test]
fn keys_are_exchanged_with_a_post_quantum_group() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    for (groups, expected) in [
        (
            vec![kx_group::X25519MLKEM768, kx_group::X25519],
            NamedGroup::X25519MLKEM768,
        ),
        (vec![kx_group::X25519], NamedGroup::X25519),
    ] {
        provider.kx_groups = groups;
        let config = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows the default versions")
            .with_root_certificates(edge.authority().roots())
            .with_no_client_auth();
        let name = "localhost".try_into().expect("a valid name");
        let mut session = ClientConnection::new(Arc::new(config), name).expect("it fits");
        let mut stream = TcpStream::connect(edge.https).expect("edge listens");
        while session.is_handshaking() {
            session
                .complete_io(&mut stream)
                .expect("the handshake succeeds");
        }
        let group = session.negotiated_key_exchange_group();
        assert_eq!(group.map(|group| group.name()), Some(expected));
    }
}

#[test]
fn several_certificates_by_sni() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    setup
        .authority
        .leaf(setup.dir.path(), "other", &["other.test", "*.wild.test"]);
    let table = format!(
        "[[host]]\nnames = [\"other.test\", \"*.wild.test\"]\ncertificate = \"other.pem\"\nkey = \"other.key\"\n\
         [[host.route]]\nupstream = \"http://{}\"\n",
        upstream.address
    );
    let edge = setup.hosts(&table).start();
    let roots = edge.authority().roots();
    for name in ["localhost", "other.test", "a.wild.test"] {
        let mut client = crate::support::Client::tls(edge.https, name, &roots, &[b"http/1.1"]);
        let response = client.exchange(format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n"));
        assert_eq!(response.status, 200, "{name}");
    }
    // The certificate was for somebody else: this connection does not speak for other hosts.
    let mut client = crate::support::Client::tls(edge.https, "localhost", &roots, &[b"http/1.1"]);
    let response = client.exchange("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
    assert!(matches!(response.status, 200 | 421), "{response:?}");
}

#[test]
fn a_stop_lets_running_requests_finish() {
    let _machine = light();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address)
        .section("timeouts", "drain = \"3s\"")
        .start();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut idle = edge.tls();
    assert_eq!(idle.exchange(get("/headers")).status, 200);
    let mut short = edge.tls();
    short.send(get("/slow?ms=1000"));
    let mut stream = edge.tls();
    stream.send(get("/sse?interval_ms=100"));
    stream.read_until("data:", Duration::from_secs(2));
    let mut h2 = H2::connect(edge.https, edge.authority());
    let h2_stream = h2.open("/sse?interval_ms=100");
    edge.process.signal(Signal::SIGTERM);
    let start = Instant::now();
    let (_, end) = idle.read_to_end(Duration::from_secs(1));
    assert_eq!(end, End::Clean, "an idle connection is closed at once");
    let response = short.response(false);
    assert_eq!((response.status, response.text().as_str()), (200, "slow\n"));
    assert_eq!(
        response.header("connection"),
        Some("close"),
        "it is told not to come back"
    );
    assert!(
        TcpStream::connect(edge.https).is_err(),
        "no new connections"
    );
    // Streams run to the deadline and then end without a reset.
    let (bytes, end) = stream.read_to_end(Duration::from_secs(4));
    assert_eq!(end, End::Clean);
    let events = String::from_utf8_lossy(&bytes).matches("data:").count();
    assert!(
        events >= 15,
        "{events} events in the three seconds of the drain"
    );
    h2.drain_within(h2_stream, Duration::from_secs(2))
        .expect("the HTTP/2 stream ends too");
    let status = edge.process.wait(Duration::from_secs(2));
    assert!(status.success(), "{status}");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    edge.log_line(|line| line["path"] == "/slow" && line["status"] == 200);
}

#[test]
fn an_idle_stop_is_quick() {
    let _machine = light();
    let demo = Demo::start();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut edge = Setup::new(demo.address)
            .section("timeouts", "drain = \"30s\"")
            .start();
        edge.process.signal(signal);
        assert!(
            edge.process.wait(Duration::from_secs(2)).success(),
            "nothing to wait for"
        );
    }
}

//! What an operator does to a running edge beside a reload: passwords, files that only root may read,
//! a log that nobody takes.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::Signal;

use crate::support::{Client, Process, Setup, Upstream, edge_binary, light, wait_until};

const LIMIT: Duration = Duration::from_secs(30);
const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Root's own: edge gives that up after the start.
fn secret(path: &Path, text: &str) {
    fs::write(path, text).expect("our own directory");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("our own file");
}

fn passwd(arguments: &[&str], stdin: &str) -> (i32, String) {
    let mut command = Command::new(edge_binary());
    command.arg("passwd").args(arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is there");
    let mut pipe = child.stdin.take().expect("piped");
    // It may have ended without reading.
    let _ = pipe.write_all(stdin.as_bytes());
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn passwords_are_set_changed_and_deleted_under_a_running_edge() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address).route("basic_auth = { file = \"users\" }");
    let users = setup.dir.path().join("users");
    let file = users.display().to_string();
    let (code, said) = passwd(&[&file, "ann"], "first one\n");
    assert_eq!((code, said.trim()), (0, &*format!("{file}: ann set")));
    let mode = fs::metadata(&users)
        .expect("it was made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "its owner's alone");
    let edge = setup.start();
    let status = |credentials: &str| {
        let mut command = Command::new("curl");
        command
            .args([
                "--silent",
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
            ])
            .args(["--user", credentials])
            .arg(format!("http://{}/", edge.http))
            .args(["--header", "Host: localhost"]);
        let (_, status, error) = Process::run("curl", command, LIMIT);
        status
            .parse::<u16>()
            .unwrap_or_else(|_| panic!("{status}{error}"))
    };
    assert_eq!((status("ann:first one"), status("ann:second")), (200, 401));
    // Changed, beside another; the mode that the file has been given stays.
    fs::set_permissions(&users, Permissions::from_mode(0o640)).expect("our own file");
    assert_eq!(passwd(&[&file, "bob"], "bob's\r\n").0, 0);
    assert_eq!(passwd(&[&file, "ann"], "second\n").0, 0);
    let text = fs::read_to_string(&users).expect("our own file");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(!text.contains("second"), "{text}");
    let mode = fs::metadata(&users)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(wait_until(LIMIT, || status("ann:second") == 200));
    assert_eq!((status("ann:first one"), status("bob:bob's")), (401, 200));
    assert_eq!(passwd(&["--delete", &file, "ann"], "").0, 0);
    assert!(wait_until(LIMIT, || status("ann:second") == 401));
    assert_eq!(status("bob:bob's"), 200);
    for (arguments, stdin, code, problem) in [
        (
            vec!["--delete", &file, "ann"],
            "",
            2,
            "there is no user \"ann\"",
        ),
        (vec![&*file, "a:b"], "x\n", 2, "is no name of a user"),
        (vec![&*file, "carol"], "\n", 1, "the password is empty"),
        (vec![&*file, "carol"], "", 1, "the password is empty"),
        (
            vec!["/nowhere/users", "carol"],
            "x\n",
            1,
            "/nowhere/users cannot be written",
        ),
        (
            vec![&*file, "carol", "password"],
            "",
            2,
            "unexpected argument",
        ),
    ] {
        let (told, said) = passwd(&arguments, stdin);
        assert_eq!(told, code, "{arguments:?}: {said}");
        assert!(said.contains(problem), "{arguments:?}: {said}");
    }
    assert_eq!(
        fs::read_to_string(&users)
            .expect("our own file")
            .lines()
            .count(),
        1
    );
}

/// Types at a terminal, each line when it is asked for; what was shown there, and the exit code.
fn type_at_terminal(file: &Path, lines: [&str; 2]) -> (String, i32) {
    let pty = openpty(None, None).expect("a terminal");
    let slave = || {
        pty.slave
            .as_fd()
            .try_clone_to_owned()
            .expect("a descriptor")
    };
    let mut child = Command::new(edge_binary())
        .arg("passwd")
        .arg(file)
        .arg("ann")
        .stdin(Stdio::from(slave()))
        .stdout(Stdio::from(slave()))
        .stderr(Stdio::from(slave()))
        .spawn()
        .expect("the binary is there");
    let mut master = fs::File::from(pty.master);
    drop(pty.slave);
    let mut shown = Vec::new();
    let mut chunk = [0; 1024];
    for (prompt, line) in ["Password: ", "Once more: "].into_iter().zip(lines) {
        while !String::from_utf8_lossy(&shown).contains(prompt) {
            let read = master.read(&mut chunk).expect("it asks");
            shown.extend_from_slice(&chunk[..read]);
        }
        master
            .write_all(format!("{line}\n").as_bytes())
            .expect("a terminal");
    }
    // The end of a terminal that nobody holds any more is an error.
    while let Ok(read @ 1..) = master.read(&mut chunk) {
        shown.extend_from_slice(&chunk[..read]);
    }
    let status = child.wait().expect("it ends");
    let shown = String::from_utf8_lossy(&shown).into_owned();
    (shown, status.code().unwrap_or(-1))
}

#[test]
fn a_password_is_typed_twice_and_never_shown() {
    let _machine = light();
    let dir = tempfile::tempdir().expect("a directory");
    let users = dir.path().join("users");
    let (shown, code) = type_at_terminal(&users, ["correct horse", "correct house"]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("not the same") && !users.exists(), "{shown}");
    let (shown, code) = type_at_terminal(&users, ["correct horse", "correct horse"]);
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("horse"), "{shown}");
    let text = fs::read_to_string(&users).expect("it was made");
    assert!(
        text.starts_with("ann:$argon2id$v=19$m=19456,t=2,p=1$"),
        "{text}"
    );
}

#[test]
fn what_a_configuration_includes_is_read_anew_with_the_rights_of_the_start() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    // Not even the directory can be passed by the account that serves.
    let closed = setup.dir.path().join("closed");
    fs::create_dir(&closed).expect("our own directory");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("our own directory");
    secret(&closed.join("404.html"), "<h1>one</h1>");
    secret(&closed.join("deny.txt"), "198.51.100.0/24\n");
    let edge = setup
        .section(
            "shield",
            "mode = \"off\"\ndeny_files = [\"closed/deny.txt\"]",
        )
        .hosts(
            "[[host]]\nnames = [\"pages.test\"]\nerror_pages = [\"404: closed/404.html\"]\n\
             [[host.route]]\nexact = \"/here\"\nupstream = \"origin\"\n",
        )
        .start();
    let page = || {
        let request = "GET /nowhere HTTP/1.1\r\nHost: pages.test\r\n\r\n";
        edge.plain().exchange(request).text()
    };
    assert_eq!(page(), "<h1>one</h1>");
    secret(&closed.join("404.html"), "<h1>two</h1>");
    edge.reload();
    assert_eq!(page(), "<h1>two</h1>");
    // A list that cannot be read, or is none, is said with its line, and everything stays.
    secret(&closed.join("404.html"), "<h1>three</h1>");
    secret(&closed.join("deny.txt"), "198.51.100.0/24\nnonsense\n");
    let (code, said) = edge.command(&["reload"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("deny.txt:2: "), "{said}");
    assert_eq!(page(), "<h1>two</h1>");
    fs::remove_file(closed.join("deny.txt")).expect("it is there");
    let (code, said) = edge.command(&["reload"]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("deny.txt: cannot be read: No such file"),
        "{said}"
    );
    secret(&closed.join("deny.txt"), "");
    edge.reload();
    assert_eq!(page(), "<h1>three</h1>");
}

#[test]
fn a_log_that_nobody_takes_slows_no_request_and_what_is_lost_is_counted() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let fifo = setup.dir.path().join("slow");
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o666);
    nix::unistd::mkfifo(&fifo, mode).expect("our own directory");
    // Somebody holds the other end and reads nothing.
    let mut reader = fs::File::options()
        .read(true)
        .write(true)
        .open(&fifo)
        .expect("our own pipe");
    let mut edge = setup.section("log", "access = \"./slow\"").start();
    let agent = "\"".repeat(256);
    let path = "x".repeat(500);
    let request = format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {agent}\r\n\r\n");
    let dropped = || edge.metrics().sum("edge_access_log_dropped_total", &[]);
    let mut sent = 0_u64;
    let mut slowest = Duration::ZERO;
    // A pipe holds 64 KiB and the queue 4 MiB: with a line of more than a kilobyte, some thousands.
    while dropped() == 0.0 {
        assert!(sent < 40_000, "nothing was dropped");
        let mut client: Client = edge.plain();
        for _ in 0..500 {
            let start = Instant::now();
            assert_eq!(client.exchange(&request).status, 200);
            slowest = slowest.max(start.elapsed());
            sent += 1;
        }
    }
    // What a request takes on a machine that does many other things at once, and no more.
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    // Once somebody reads, every line has come or been counted.
    let (lines, read) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut chunk = vec![0; 1 << 16];
        while let Ok(read @ 1..) = reader.read(&mut chunk) {
            let ends = chunk[..read].iter().filter(|&&byte| byte == b'\n').count();
            if lines.send(ends as u64).is_err() {
                return;
            }
        }
    });
    let mut written = 0;
    let all = wait_until(LIMIT, || {
        written += read.try_iter().sum::<u64>();
        written + dropped() as u64 == sent
    });
    assert!(all, "{written} written, {} dropped of {sent}", dropped());
    assert!(written > 1000 && dropped() >= 1.0);
    println!("{sent} requests, {written} lines written, the slowest took {slowest:?}");
    edge.assert_healthy();
}

#[test]
fn a_line_has_the_fields_that_were_chosen_and_no_others() {
    let _machine = light();
    let upstream = Upstream::ok();
    let log = "access = \"./chosen.log\"\nfields = [\"status\", \"path\", \"upstream_head_ms\"]";
    let edge = Setup::new(upstream.address).section("log", log).start();
    assert_eq!(edge.plain().exchange(GET).status, 200);
    let read = || fs::read_to_string(edge.file("chosen.log")).unwrap_or_default();
    assert!(wait_until(LIMIT, || read().ends_with('\n')), "{}", read());
    let line: serde_json::Value = serde_json::from_str(&read()).expect("one line of JSON");
    let names: Vec<&String> = line.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["path", "status", "upstream_head_ms"], "{line}");
    assert_eq!((&line["status"], &line["path"]), (&200.into(), &"/".into()));
    assert!(line["upstream_head_ms"].is_number(), "{line}");
}

#[test]
fn lines_in_the_combined_format_and_a_sample_of_those_that_went_well() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address)
        .more_routes("[[host.route]]\nexact = \"/gone\"\nrespond = 410\n");
    let edge = setup
        .section(
            "log",
            "access = \"./combined.log\"\nformat = \"combined\"\nsample = 10",
        )
        .start();
    let log = || fs::read_to_string(edge.file("combined.log")).unwrap_or_default();
    let mut client = edge.plain();
    for _ in 0..100 {
        assert_eq!(client.exchange(GET).status, 200);
    }
    let gone = "GET /gone?a=\"b HTTP/1.1\r\nHost: localhost\r\nUser-Agent: te\"st\r\n\r\n";
    let refused = client.exchange(gone).status;
    assert!(matches!(refused, 400 | 410), "{refused}");
    let gone = "GET /gone HTTP/1.1\r\nHost: localhost\r\nUser-Agent: te\"st\r\n\r\n";
    for _ in 0..7 {
        assert_eq!(edge.plain().exchange(gone).status, 410);
    }
    let count = |status: &str| log().lines().filter(|line| line.contains(status)).count();
    assert!(wait_until(LIMIT, || count(" 410 ") >= 7), "{}", log());
    assert_eq!(count(" 200 "), 10, "one in ten\n{}", log());
    let line = log();
    let line = line
        .lines()
        .find(|line| line.contains("GET /gone HTTP/1.1"))
        .expect("one");
    let parts: Vec<&str> = line.splitn(6, ' ').collect();
    assert_eq!(
        (parts[0], parts[1], parts[2]),
        ("127.0.0.1", "-", "-"),
        "{line}"
    );
    assert!(
        parts[3].starts_with('[') && parts[4].ends_with(']'),
        "{line}"
    );
    let is_safe = line.matches('"').count() == 6;
    assert!(
        is_safe && parts[5].starts_with("\"GET /gone HTTP/1.1\" 410 "),
        "{line}"
    );
    // Rotated while lines come.
    fs::rename(edge.file("combined.log"), edge.file("combined.log.1")).expect("our own file");
    edge.process.signal(Signal::SIGUSR1);
    assert!(wait_until(LIMIT, || edge.file("combined.log").exists()));
    assert_eq!(edge.plain().exchange(gone).status, 410);
    assert!(wait_until(LIMIT, || count(" 410 ") == 1), "{}", log());
}

//! What `cargo xtask run` tells newcomers to try does what it says: each command, as it is printed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Demo, Edge, Pair, Process, Setup, edge_binary, heavy, netns_command};

/// The text itself.
#[path = "../../../xtask/src/run/hints.rs"]
mod printed;

use printed::Hints;

const LIMIT: Duration = Duration::from_secs(20);

/// A shell, in a namespace.
fn shell(netns: &str, command: &str) -> Command {
    let mut shell = netns_command(Some(netns), Path::new("/bin/sh"));
    shell.arg("-c").arg(format!("exec 2>&1; {command}"));
    shell
}

fn try_all(hints: &Hints<'_>, netns: &str) {
    let text = hints.text();
    let [events, metrics, ban] = hints.tries();
    for tried in [&events, &metrics, &ban] {
        assert!(text.contains(&tried.command) && text.contains(&tried.shows));
    }
    // It goes on for ever: what is killed has to be it, and not the shell.
    let command = format!("exec {}", events.command);
    let mut stream = Process::start("events", shell(netns, &command));
    stream.wait_for("data:", LIMIT);
    stream.signal(Signal::SIGKILL);

    let (code, page, _) = Process::run("metrics", shell(netns, &metrics.command), LIMIT);
    assert!(
        code == 0 && page.contains("edge_requests_total"),
        "{code} {page}"
    );

    let (code, said, _) = Process::run("ban", shell(netns, &ban.command), LIMIT);
    // The last call times out, and nothing before it has gone wrong.
    assert_eq!(code, 28, "{said}");
    assert_eq!(said.matches("curl: ").count(), 1, "{said}");
    assert!(!said.contains("error"), "{said}");
}

fn start(setup: Setup, pair: &Pair, mode: &str, interface: &str) -> (Demo, Edge) {
    let demo = Demo::start_at(([127, 0, 0, 1], 8000).into(), Some(&pair.host));
    let shield = format!("mode = \"{mode}\"\ninterfaces = [\"{interface}\"]\nrequired = true");
    let edge = setup.section("shield", &shield).start();
    (demo, edge)
}

fn hints<'a>(edge: &'a Edge, files: &'a [std::path::PathBuf; 3], program: &'a str) -> Hints<'a> {
    let [ca, socket, log] = files;
    Hints {
        host: "localhost",
        victim: "127.0.0.2",
        victim_is_here: true,
        client: "",
        server: "",
        ca: ca.to_str().expect("a plain path"),
        edge: program,
        socket,
        log,
        ports: [edge.https.port(), edge.http.port(), edge.metrics_port()],
        shield: true,
    }
}

#[test]
fn what_newcomers_are_told_to_try_works() {
    let _machine = heavy();
    let pair = Pair::new("hints", 2);
    let program = edge_binary().display().to_string();
    let files = |edge: &Edge| ["ca.pem", "admin.sock", "access.log"].map(|name| edge.file(name));
    {
        let setup = Setup::new("127.0.0.1:8000").inside(&pair.host, [127, 0, 0, 1]);
        let (_demo, edge) = start(setup, &pair, "generic", "lo");
        let files = files(&edge);
        try_all(&hints(&edge, &files, &program), &pair.host);
    }
    // By its address, which is no name that a client can send ahead.
    let any = "[[host]]\nnames = [\"*\"]\ncertificate = \"localhost.pem\"\nkey = \"localhost.key\"\n\
               [[host.route]]\npath = \"/\"\nupstream = \"origin\"\n";
    let setup = Setup::new("127.0.0.1:8000")
        .hosts(any)
        .inside(&pair.host, Pair::HOST);
    let host = Pair::HOST.to_string();
    let names = ["localhost", &host];
    setup.authority.leaf(setup.dir.path(), "localhost", &names);
    let (_demo, edge) = start(setup, &pair, "native", "veth-h");
    let files = files(&edge);
    let enter = |netns: &str| format!("nsenter --net=/run/netns/{netns} ");
    let hints = Hints {
        host: &host,
        victim: "10.83.0.3",
        victim_is_here: false,
        client: &enter(&pair.client),
        server: &enter(&pair.host),
        ..hints(&edge, &files, &program)
    };
    try_all(&hints, &pair.host);
}

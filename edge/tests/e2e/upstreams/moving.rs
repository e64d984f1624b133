//! A name whose addresses change while it is served: the system's resolver reads a hosts file that
//! only this `edge` sees, in a mount namespace of its own. Clients ask all the while.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::named::Named;
use super::{LIMIT, ask, count, who};
use crate::support::{Client, Edge, Setup, light, wait_until};

#[test]
fn a_name_that_moves_takes_requests_along() {
    let _machine = light();
    let at = |last: u8, port| ([127, 0, 7, last], port).into();
    let one = Named::start_at("one", Duration::ZERO, at(1, 0));
    let port = one.address.port();
    let _two = Named::start_at("two", Duration::ZERO, at(2, port));
    let setup = Setup::new(one.address).upstream(&format!(
        "servers = [\"moving.test:{port}\"]\npolicy = \"round_robin\"\nresolve = \"1s\""
    ));
    let hosts = setup.dir.path().join("hosts");
    let write = |lines: &str| std::fs::write(&hosts, lines).expect("our own directory");
    write("127.0.0.1 localhost\n127.0.7.1 moving.test\n");
    let edge = start(setup, &hosts);
    let address = edge.http;
    let stop = Arc::new(AtomicBool::new(false));
    let clients = [(); 4].map(|()| {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            let mut answered = 0;
            while !stop.load(Relaxed) {
                let name = who(&mut Client::plain(address), "");
                assert!(["one", "two"].contains(&name.as_str()), "{name}");
                answered += 1;
            }
            answered
        })
    });
    move_about(&edge, &write);
    stop.store(true, Relaxed);
    let answered = clients.map(|client| client.join().expect("one of them answers every request"));
    let answered: usize = answered.into_iter().sum();
    assert!(answered > 400, "too little load to prove much: {answered}");
}

/// Starts `edge` where the names of `hosts` are all there are.
fn start(setup: Setup, hosts: &Path) -> Edge {
    let inner = setup.command();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "--", "sh", "-c"])
        .arg("mount --bind \"$0\" /etc/hosts && exec \"$@\"")
        .arg(hosts)
        .arg(inner.get_program())
        .args(inner.get_args());
    setup.start_as(command)
}

#[test]
fn a_name_that_comes_later_than_edge_is_waited_for() {
    let _machine = light();
    let one = Named::start_at("one", Duration::ZERO, ([127, 0, 8, 1], 0).into());
    let port = one.address.port();
    let setup = Setup::new(one.address).upstream(&format!("servers = [\"later.test:{port}\"]"));
    let hosts = setup.dir.path().join("hosts");
    let write = |lines: &str| std::fs::write(&hosts, lines).expect("our own directory");
    write("127.0.0.1 localhost\n");
    let edge = start(setup, &hosts);
    assert_eq!(who(&mut edge.plain(), ""), "502");
    edge.log_line(|line| line["error"] == "upstream_lookup");
    assert!(
        edge.process
            .stderr()
            .contains("cannot be looked up (failed")
    );
    write("127.0.8.1 later.test\n");
    assert!(wait_until(LIMIT, || who(&mut edge.plain(), "") == "one"));
    // The resolver fails again, and the file is read again: what was known stays.
    write("127.0.0.1 localhost\n");
    edge.reload();
    assert_eq!(count(&ask(&edge, 10, ""), "one"), 10);
}

/// The name stands for one server, for both, for none and for the other.
fn move_about(edge: &Edge, write: &dyn Fn(&str)) {
    assert_eq!(count(&ask(edge, 10, ""), "one"), 10);
    // Two addresses are two servers.
    write("127.0.7.1 moving.test\n127.0.7.2 moving.test\n");
    assert!(wait_until(LIMIT, || count(&ask(edge, 2, ""), "two") > 0));
    let answers = ask(edge, 40, "");
    assert!(
        count(&answers, "one") > 5 && count(&answers, "two") > 5,
        "{answers:?}"
    );
    // A name that nobody knows any more keeps the addresses it had.
    write("127.0.0.1 localhost\n");
    assert!(wait_until(LIMIT, || {
        edge.process
            .stderr()
            .contains("cannot look a server up again")
    }));
    assert_eq!(ask(edge, 40, "").len(), 2);
    write("127.0.7.2 moving.test\n");
    assert!(wait_until(LIMIT, || count(&ask(edge, 40, ""), "two") == 40));
    assert!(edge.process.stderr().contains("a name has moved"));
}

//! A name whose addresses change while it is served: the system's resolver reads a hosts file that
//! only this `edge` sees, in a mount namespace of its own.

use std::process::Command;
use std::time::Duration;

use super::named::Named;
use super::{LIMIT, ask, count};
use crate::support::{Setup, light, wait_until};

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
    let inner = setup.command();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "--", "sh", "-c"])
        .arg("mount --bind \"$0\" /etc/hosts && exec \"$@\"")
        .arg(&hosts)
        .arg(inner.get_program())
        .args(inner.get_args());
    let edge = setup.start_as(command);
    assert_eq!(count(&ask(&edge, 10, ""), "one"), 10);
    // Two addresses are two servers.
    write("127.0.7.1 moving.test\n127.0.7.2 moving.test\n");
    assert!(wait_until(LIMIT, || count(&ask(&edge, 2, ""), "two") > 0));
    let answers = ask(&edge, 20, "");
    assert_eq!((count(&answers, "one"), count(&answers, "two")), (10, 10));
    // A name that nobody knows any more keeps the addresses it had.
    write("127.0.0.1 localhost\n");
    assert!(wait_until(LIMIT, || {
        edge.process
            .stderr()
            .contains("cannot look a server up again")
    }));
    assert_eq!(ask(&edge, 10, "").len(), 2);
    write("127.0.7.2 moving.test\n");
    assert!(wait_until(LIMIT, || count(&ask(&edge, 2, ""), "one") == 0));
    assert_eq!(count(&ask(&edge, 20, ""), "two"), 20);
    assert!(edge.process.stderr().contains("a name has moved"));
}

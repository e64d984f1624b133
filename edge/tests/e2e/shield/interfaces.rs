//! Interfaces that come after the start, go away and come again.

use std::time::Duration;

use crate::support::{Edge, Pair, Setup, heavy, ip, wait_until};

fn is_attached(edge: &Edge, interface: &str, wanted: bool) -> bool {
    let label = format!("interface=\"{interface}\"");
    wait_until(Duration::from_secs(5), || {
        let page = edge.metrics();
        let attached = page.sum("edge_shield_attached", &[&label]);
        assert!(page.text.contains(&label), "{}", page.text);
        attached == f64::from(u8::from(wanted))
    })
}

#[test]
fn interfaces_are_attached_when_they_come_and_said_to_be_bare_when_they_go() {
    let _machine = heavy();
    let pair = Pair::new("late", 1);
    let edge = Setup::new("127.0.0.1:8000")
        .inside(&pair.host, Pair::HOST)
        .section(
            "shield",
            "mode = \"auto\"\ninterfaces = [\"veth-h\", \"late.7\"]",
        )
        .start();
    assert!(is_attached(&edge, "veth-h", true) && is_attached(&edge, "late.7", false));
    assert!(edge.process.stderr().contains("waits for an interface"));

    let (host, client) = (&pair.host, &pair.client);
    for _ in 0..2 {
        // Its name has a dot, which the BPF file system does not take.
        ip(&format!(
            "-n {host} link add late.7 type veth peer name late8 netns {client}"
        ));
        assert!(
            is_attached(&edge, "late.7", true),
            "{}",
            edge.process.output()
        );
        let pinned = edge.pin().status();
        let links = pinned["interfaces"].as_array().expect("a list");
        let late = links.iter().find(|link| link["interface"] == "late.7");
        assert!(
            late.is_some_and(|link| link["attached"] == true),
            "{pinned}"
        );
        ip(&format!("-n {host} link del late.7"));
        assert!(is_attached(&edge, "late.7", false));
        assert!(is_attached(&edge, "veth-h", true));
    }
    // The process that serves has no right to attach anything.
    let capabilities = crate::support::status_field(edge.process.pid(), "CapPrm");
    assert_eq!(capabilities, "0000000000000000");
}

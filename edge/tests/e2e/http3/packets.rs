//! What is said to packets that belong to no connection.

use std::time::Duration;

use super::{over_a_death, run, scenario};
use crate::support::{Demo, Setup, light};

#[test]
fn unknown_versions_and_forged_addresses() {
    let _machine = light();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address).start();
    assert_eq!(run("h3_packets.py", &edge, "negotiation", &[]), "ok");
    run("h3_packets.py", &edge, "amplification", &[]);
    edge.assert_healthy();
}

#[test]
fn clients_prove_their_address_where_that_is_wanted() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .top("workers = 2")
        .section("quic", "retry = \"always\"")
        .start();
    assert_eq!(scenario(&edge, "exchanges", &[]), "ok");
    assert_eq!(edge.metrics().sum("edge_quic_retries_total", &[]), 3.0);
    // INVALID_TOKEN where it is somebody else's; one that is none asks for proof anew.
    let expected = serde_json::json!({
        "nothing": ["RETRY", null],
        "another port": ["INITIAL", 0x0b],
        "another address": ["INITIAL", 0x0b],
        "spoilt": ["RETRY", null],
        "invented": ["RETRY", null],
    });
    assert_eq!(run("h3_packets.py", &edge, "tokens", &[]), expected);
}

/// Which worker a connection comes to is the kernel's choice; there is one bound for all of them.
#[test]
fn connections_of_an_address_are_bounded_over_all_workers() {
    let _machine = light();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address)
        .top("workers = 2")
        .section("bounds", "connections_per_address = 3")
        .start();
    let inside = scenario(&edge, "crowd", &["16"]);
    assert_eq!(inside, serde_json::json!([3, 3]));
    let refused = edge.metrics().sum(
        "edge_quic_handshake_failures_total",
        &["reason=\"refused\""],
    );
    assert_eq!(refused, 26.0);
    edge.assert_healthy();
}

/// Where a network card does it wrong, datagrams go and come one by one; a reload is enough.
#[test]
fn datagrams_go_alone_where_that_is_wanted() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .section("quic", "offload = false")
        .start();
    let moved = || {
        let metrics = edge.metrics();
        let out = ["direction=\"out\""];
        (
            metrics.sum("edge_quic_datagrams_total", &out),
            metrics.sum("edge_quic_system_calls_total", &out),
        )
    };
    scenario(&edge, "bulk", &["2"]);
    let (datagrams, calls) = moved();
    assert!(
        datagrams > 1000.0 && datagrams == calls,
        "{datagrams} {calls}"
    );
    edge.rewrite(&edge.config().replace("offload = false", "offload = true"));
    edge.reload();
    std::thread::sleep(Duration::from_millis(300));
    let before = moved();
    scenario(&edge, "bulk", &["2"]);
    let after = moved();
    let per_call = (after.0 - before.0) / (after.1 - before.1);
    assert!(per_call > 2.0, "{per_call} datagrams a call");
}

#[test]
fn a_connection_that_died_with_its_process_is_reset() {
    let _machine = light();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address).top("workers = 2").start();
    over_a_death(&mut edge, "h3_packets.py", "forgotten");
}

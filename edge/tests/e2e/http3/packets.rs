//! What is said to packets that belong to no connection.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{LIMIT, run, scenario};
use crate::support::{Demo, Process, Setup, light, peer};

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
}

#[test]
fn a_connection_that_died_with_its_process_is_reset() {
    let _machine = light();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address).top("workers = 2").start();
    let (ca, url) = (edge.file("ca.pem"), edge.url());
    let ready = edge.file("ready");
    let arguments = [
        "forgotten",
        &url,
        &ca.display().to_string(),
        &ready.display().to_string(),
    ];
    let mut client = Process::start("forgotten", peer("h3_packets.py", &arguments));
    client.wait_for("connected", LIMIT);
    edge.process.signal(Signal::SIGKILL);
    edge.process.wait(Duration::from_secs(5));
    edge.start_again();
    std::fs::write(&ready, "").expect("our own directory is writable");
    let (code, stdout, stderr) = client.finish(LIMIT);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
}

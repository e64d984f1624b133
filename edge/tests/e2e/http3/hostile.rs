//! Clients that keep to the rules of QUIC and mean no good.

use std::time::Duration;

use super::{run, scenario};
use crate::support::{Demo, Setup, heavy, light, wait_until};

/// A connection moves with the first packet that seems to come from elsewhere, before anybody has answered
/// from there (RFC 9000 §9.3). Who may ask, and who asked, goes by the address that the handshake proved.
#[test]
fn a_forged_source_opens_no_route() {
    let _machine = light();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address)
        .more_routes(
            "[[host.route]]\npath = \"/forged\"\nupstream = \"origin\"\nallow = [\"127.0.0.7/32\"]\n",
        )
        .start();
    assert_eq!(
        run("h3_hostile.py", &edge, "elsewhere", &["127.0.0.7"]),
        "ok"
    );
    let line = edge.log_line(|line| line["path"] == "/forged");
    assert_eq!(line["status"], 403, "{line}");
    assert_eq!(line["client"], "127.0.0.1", "{line}");
    edge.assert_healthy();
}

/// What waits for a handshake that never ends goes when its time is over, and counts no longer.
#[test]
fn early_data_that_is_given_up_leaves_nothing() {
    let _machine = light();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address)
        .section("quic", "early_data = true\nretry_above = 8")
        .section("timeouts", "handshake = \"1s\"")
        .route("early_data = true")
        .start();
    run("h3_hostile.py", &edge, "abandoned", &["30"]);
    let sum = |name: &str| edge.metrics().sum(name, &[]);
    let failed = || sum("edge_quic_handshake_failures_total");
    let streams = || sum("edge_http3_streams");
    assert!(
        wait_until(Duration::from_secs(10), || failed() >= 8.0
            && streams() == 0.0),
        "{} failed, {} streams",
        failed(),
        streams()
    );
    // No handshake is under way, so nobody is asked for proof.
    let before = sum("edge_quic_retries_total");
    scenario(&edge, "churn", &["1"]);
    assert_eq!(sum("edge_quic_retries_total"), before);
    edge.assert_healthy();
}

/// Whoever seems to have moved is sent a large datagram for a small one, to find out. Only so often.
#[test]
fn a_connection_that_moves_all_the_time_ends() {
    let _machine = light();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address).start();
    let seen = run("h3_hostile.py", &edge, "reflected", &[]);
    let number = |name: &str| seen[name].as_f64().expect("a number");
    assert!(number("got") > 10_000.0, "{seen}");
    assert!(number("seconds") < 3.0, "{seen}");
    edge.assert_healthy();
}

/// Whoever begins handshakes and does not go on has some of the room there is, and not all of it.
#[test]
fn handshakes_of_one_client_keep_nobody_out() {
    let _machine = heavy();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address)
        .section("timeouts", "handshake = \"60s\"\ndrain = \"1s\"")
        .start();
    let seen = run("h3_hostile.py", &edge, "crowding", &["1200"]);
    // Those that prove nothing, before that is asked for, and those that do.
    let begun = seen[0].as_u64().expect("a number");
    assert!((256..=400).contains(&begun), "{begun}");
    assert_eq!(seen[1], "INITIAL", "the one beside it");
    edge.assert_healthy();
}

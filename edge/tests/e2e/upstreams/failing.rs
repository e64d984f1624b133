//! Servers that fail requests or health checks, and come back.

use std::time::{Duration, Instant};

use super::named::Named;
use super::{LIMIT, ask, count};
use crate::support::{Edge, Setup, light, wait_until};

fn pair(good: &Named, bad: &Named, keys: &str) -> Edge {
    Setup::new(good.address)
        .upstream(&format!(
            "servers = [\"{}\", \"{}\"]\n{keys}",
            good.address, bad.address
        ))
        .start()
}

fn up(edge: &Edge, server: &Named) -> bool {
    let label = format!("server=\"{}\"", server.address);
    edge.metrics().sum("edge_server_up", &[&label]) == 1.0
}

#[test]
fn a_server_that_is_killed_costs_nobody_an_answer_and_comes_back() {
    let _machine = light();
    let (good, mut bad) = (Named::start("good"), Named::start("bad"));
    let edge = pair(
        &good,
        &bad,
        "policy = \"round_robin\"\neject_time = \"300ms\"",
    );
    let answers = ask(&edge, 20, "");
    assert_eq!((count(&answers, "good"), count(&answers, "bad")), (10, 10));
    bad.stop();
    assert_eq!(count(&ask(&edge, 40, ""), "good"), 40);
    assert!(!up(&edge, &bad) && up(&edge, &good));
    bad.restart();
    assert!(wait_until(LIMIT, || count(&ask(&edge, 2, ""), "bad") > 0));
    let answers = ask(&edge, 20, "");
    assert_eq!((count(&answers, "good"), count(&answers, "bad")), (10, 10));
    assert!(up(&edge, &bad));
}

#[test]
fn failures_in_a_row_eject() {
    let _machine = light();
    let (good, bad) = (Named::start("good"), Named::start("bad"));
    let edge = pair(
        &good,
        &bad,
        "policy = \"round_robin\"\neject_after = 2\neject_time = \"700ms\"",
    );
    bad.set_broken(true);
    // What a server has taken and not answered is not sent to another.
    let answers = ask(&edge, 20, "");
    assert_eq!((count(&answers, "502"), count(&answers, "good")), (2, 18));
    let start = Instant::now();
    // Out once more after a single failure, and for twice as long.
    assert!(wait_until(LIMIT, || count(&ask(&edge, 1, ""), "502") == 1));
    assert!(start.elapsed() > Duration::from_millis(300));
    bad.set_broken(false);
    let again = Instant::now();
    assert!(wait_until(LIMIT, || count(&ask(&edge, 2, ""), "bad") > 0));
    let out = again.elapsed();
    assert!(out > Duration::from_millis(1000), "out for {out:?}");
}

#[test]
fn checks_take_servers_out_and_bring_them_back() {
    let _machine = light();
    let (good, bad) = (Named::start("good"), Named::start("bad"));
    let edge = Setup::new(good.address)
        .top("workers = 2")
        .upstream(&format!(
            "servers = [\"{}\", \"{}\"]\npolicy = \"round_robin\"\n\
             [upstream.origin.check]\npath = \"/health\"\ninterval = \"100ms\"\n\
             timeout = \"500ms\"\nhealthy = 2\nunhealthy = 2",
            good.address, bad.address
        ))
        .start();
    assert!(wait_until(LIMIT, || bad.checks() > 1 && good.checks() > 1));
    for failure in [503, 0] {
        assert!(count(&ask(&edge, 20, ""), "bad") > 0);
        bad.set_health(failure);
        assert!(wait_until(LIMIT, || !up(&edge, &bad)));
        // It would answer, and nobody asks it, whichever worker has the connection.
        assert_eq!(count(&ask(&edge, 40, ""), "good"), 40);
        bad.set_health(204);
        assert!(wait_until(LIMIT, || up(&edge, &bad)));
    }
    let stderr = edge.process.stderr();
    assert!(stderr.contains("a server is down") && stderr.contains("a server is back"));
    let passed = edge
        .metrics()
        .sum("edge_server_checks_total", &["result=\"passed\""]);
    assert!(passed > 4.0, "{passed}");
}

#[test]
fn a_server_that_is_back_starts_slowly() {
    let _machine = light();
    let (good, mut bad) = (Named::start("good"), Named::start("bad"));
    let edge = pair(
        &good,
        &bad,
        "policy = \"round_robin\"\neject_time = \"100ms\"\nslow_start = \"1h\"",
    );
    bad.stop();
    assert_eq!(count(&ask(&edge, 4, ""), "good"), 4);
    bad.restart();
    std::thread::sleep(Duration::from_millis(250));
    // A tenth against a whole.
    let answers = ask(&edge, 110, "");
    assert_eq!(count(&answers, "bad"), 10, "{answers:?}");
}

//! Long lists, taken over while packets flow.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::scene::{CALLER, NO_ANSWER, Scene, p99};
use crate::support::{heavy, wait_until};

const ABUSER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 4);
const ENTRIES: u32 = 200_000;

#[test]
fn two_hundred_thousand_networks_are_taken_over_under_traffic() {
    let _machine = heavy();
    let scene = Scene::with(
        "reload",
        "requests = \"off\"",
        "deny_files = [\"deny.txt\"]",
    );
    let denied = || {
        let (code, text) = scene.edge.command(&["status", "--json"]);
        assert_eq!(code, 0, "{text}");
        let status: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        status["deny"].as_u64().expect("a count")
    };
    assert_eq!(denied(), 0);
    let quiet = p99(scene.call_tools(Duration::from_secs(1)));

    // Every other /28 of 11.0.0.0/8 and on, and the abuser.
    let mut list = String::from("# long\n");
    for number in 1..ENTRIES {
        let network = Ipv4Addr::from_bits(0x0b00_0000 + (number << 5));
        writeln!(list, "{network}/28").expect("a string takes everything");
    }
    writeln!(list, "{ABUSER}").expect("a string takes everything");
    std::fs::write(scene.edge.file("deny.txt"), list).expect("our own directory");
    let start = Instant::now();
    scene.edge.process.signal(Signal::SIGHUP);
    // Fails if a call is not answered.
    let flooded = p99(scene.call_tools(Duration::from_secs(4)));
    assert!(
        wait_until(Duration::from_secs(20), || denied() == u64::from(ENTRIES)),
        "{} of {ENTRIES}",
        denied()
    );
    println!(
        "{ENTRIES} networks within {:?}; p99 {quiet:?} before, {flooded:?} meanwhile",
        start.elapsed()
    );
    assert!(!scene.https_answers(ABUSER, Duration::from_millis(300)));
    assert!(scene.https_answers(CALLER, NO_ANSWER));

    std::fs::write(scene.edge.file("deny.txt"), "# none\n").expect("our own directory");
    scene.edge.process.signal(Signal::SIGHUP);
    let gone = wait_until(Duration::from_secs(20), || {
        scene.https_answers(ABUSER, Duration::from_millis(300)) && denied() == 0
    });
    assert!(gone, "{} are left", denied());
}

//! What an idle session costs, in memory of the whole process: the keys live in the C library.

use std::process::Command;

use super::*;

/// An idle session may hold this much, itself included.
const IDLE_BYTES_MAX: usize = 8 * 1024;

const SESSIONS: usize = 500;

/// Other tests in this process would be measured too, so the measurement runs in its own.
#[test]
fn an_idle_session_is_small() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tls::session::tests::memory::measured_alone"])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "run by an_idle_session_is_small in a process of its own"]
fn measured_alone() {
    println!("size_of::<Session>() = {}", size_of::<Session>());
    let mut sessions = Vec::new();
    for protocol in [&TLS12, &TLS13] {
        let authority = Authority::new();
        let server = authority.server(&[&["a.test"]]);
        let client = authority.client(version(protocol));
        let connect = || {
            let mut wire = Wire::new(&server, &client, "a.test");
            wire.run().unwrap();
            wire.upload(&pattern(1000)).unwrap();
            wire.download(&pattern(1000)).unwrap();
            Box::new(wire.session)
        };
        // The clients' memory is free again after this, and is used again.
        sessions.extend((0..SESSIONS).map(|_| connect()));
        let before = resident_bytes();
        sessions.extend((0..SESSIONS).map(|_| connect()));
        let each = (resident_bytes() - before) / SESSIONS;
        println!("{:?}: {each} bytes for each idle session", protocol.version);
        assert!(each > size_of::<Session>(), "the measurement saw nothing");
        assert!(each < IDLE_BYTES_MAX);
    }
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

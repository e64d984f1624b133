//! What is left of one answer must never be taken for the next.

use super::LIMIT;
use crate::support::{Answer, Demo, Edge, H2, Setup, Upstream, light, wait_until};

const SURPLUS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

/// Method, head of the answer, status and content that the client gets.
const CASES: &[(&str, &str, u16, &str)] = &[
    ("GET", "200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"),
    (
        "GET",
        "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        200,
        "ok",
    ),
    ("GET", "204 No Content\r\n\r\n", 204, ""),
    ("GET", "304 Not Modified\r\n\r\n", 304, ""),
    ("HEAD", "200 OK\r\nContent-Length: 57\r\n\r\n", 200, ""),
];

/// The surplus comes in the same segment as the answer, and the connection stays open.
#[test]
fn a_connection_with_surplus_is_not_used_again() {
    let _machine = light();
    const ROUNDS: usize = 4;
    for (method, head, status, content) in CASES {
        let answer = format!("HTTP/1.1 {head}{SURPLUS}");
        let upstream = Upstream::start(Answer::Keep(answer.into()));
        let edge = Setup::new(upstream.address).start();
        let mut client = edge.plain();
        for _ in 0..ROUNDS {
            let got = client.exchange(format!("{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            assert_eq!((got.status, got.text()), (*status, (*content).to_owned()));
        }
        let mut h2 = H2::connect(edge.https, edge.authority());
        if *method == "GET" {
            let got = h2.get_within("/", LIMIT).expect("an answer");
            assert_eq!((got.status, got.text()), (*status, (*content).to_owned()));
        }
        let asked = ROUNDS + usize::from(*method == "GET");
        assert_eq!(upstream.connections(), asked, "{method} {head:?}");
        assert!(wait_until(LIMIT, || upstream.closed() == asked));
    }
}

fn status(edge: &Edge) -> u16 {
    let get = "GET /headers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    edge.plain().exchange(get).status
}

#[test]
fn a_unix_socket_may_vanish_and_come_back() {
    let _machine = light();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), everybody).expect("we own it");
    let path = dir.path().join("origin.sock");
    let mut demo = Demo::start_unix(&path);
    let edge = Setup::new(format!("unix:{}", path.display())).start();
    assert_eq!(status(&edge), 200);
    demo.process.signal(nix::sys::signal::Signal::SIGKILL);
    demo.process.wait(LIMIT);
    // Nobody listens on it any more; then there is not even a file.
    assert_eq!(status(&edge), 502);
    let _ = std::fs::remove_file(&path);
    assert_eq!(status(&edge), 502);
    let line = edge.log_line(|line| line["status"] == 502);
    assert_eq!(line["error"], "upstream_connect");
    let _again = Demo::start_unix(&path);
    assert!(wait_until(LIMIT, || status(&edge) == 200));
}

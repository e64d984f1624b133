//! HTTP/2 over Unix sockets, and what outlasts a reload.

use super::{LIMIT, get, post};
use crate::support::{Process, Setup, light, node_script};

#[test]
fn streams_over_a_unix_socket_outlast_a_reload() {
    let _machine = light();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), everybody).expect("we own it");
    let path = dir.path().join("h2.sock").display().to_string();
    let mut server = Process::start("h2_upstream", node_script("h2_upstream.mjs", &[&path]));
    server.wait_for("listening on", LIMIT * 3);
    let edge = Setup::new(format!("unix:{path}"))
        .upstream(&format!("servers = [\"unix:{path}\"]\nprotocol = \"h2\""))
        .start();
    assert_eq!(get(&edge, "/hello").json()[":scheme"], "http");
    let mut events = edge.plain();
    events.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    events.read_until("data: 1", LIMIT);
    edge.reload();
    // Over the connection that was there before.
    let echoed = post(&edge, "/echo", "after");
    assert_eq!(echoed.text(), "after");
    assert_eq!(echoed.header("x-session"), Some("1"));
    assert_eq!(echoed.trailers, [("x-end".to_owned(), "told".to_owned())]);
    events.read_until("data: 5", LIMIT);
    events.read_until("\r\n0\r\n\r\n", LIMIT);
}

//! How many servers are tried, how long a server may take nothing, and which connections are kept.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use super::named::Named;
use super::{LIMIT, ask, count};
use crate::support::{Demo, Setup, Upstream, free_port, light, wait_until};

#[test]
fn no_more_servers_are_tried_than_may_be() {
    let _machine = light();
    let alive = Named::start("alive");
    let nobody: Vec<String> = (0..3)
        .map(|_| format!("\"127.0.0.1:{}\"", free_port()))
        .collect();
    for (tries, first) in [(3, "502"), (4, "alive")] {
        let edge = Setup::new(alive.address)
            .upstream(&format!(
                "servers = [{}, \"{}\"]\npolicy = \"round_robin\"\ntries = {tries}",
                nobody.join(", "),
                alive.address
            ))
            .start();
        // They are asked in the order of the file; those that have refused are left alone then.
        assert_eq!(count(&ask(&edge, 1, ""), first), 1, "{tries} tries");
        assert_eq!(count(&ask(&edge, 5, ""), "alive"), 5, "{tries} tries");
    }
}

#[test]
fn a_server_that_takes_nothing_is_given_up() {
    let _machine = light();
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address");
    let address: SocketAddr = listener.local_addr().expect("it is bound");
    let edge = Setup::new(address)
        .upstream(&format!(
            "servers = [\"{address}\"]\nsend_timeout = \"500ms\"\nresponse_timeout = \"1h\""
        ))
        .start();
    // Accepted by the kernel, read by nobody; more than sockets hold.
    let mut client = edge.plain();
    let length = 64 << 20;
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    ));
    let start = Instant::now();
    let _ = client.try_send(&vec![b'x'; length]);
    let answer = client.response_within(false, LIMIT).expect("an answer");
    assert_eq!(answer.status, 504);
    assert!(start.elapsed() > Duration::from_millis(400));
    edge.log_line(|line| line["error"] == "upstream_timeout" && line["status"] == 504);
    drop(listener);
}

#[test]
fn as_many_connections_are_kept_as_may_be_and_as_long() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .upstream(&format!(
            "servers = [\"{}\"]\nidle_max = 2\nidle_timeout = \"2s\"",
            demo.address
        ))
        .start();
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let get = "GET /slow?ms=300 HTTP/1.1\r\nHost: localhost\r\n\r\n";
                assert_eq!(edge.plain().exchange(get).status, 200);
            });
        }
    });
    let open = |wanted: f64| {
        let name = "edge_upstream_connections";
        wait_until(LIMIT, || {
            edge.metrics().sum(name, &["upstream=\"origin\""]) == wanted
        })
    };
    assert!(open(2.0), "two of five stay");
    assert!(open(0.0), "and go when nobody comes");
}

#[test]
fn a_limit_takes_a_network_of_ipv6_for_one_client() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section("forwarding", "trusted = [\"127.0.0.1\"]")
        .section("limits.home", "requests = \"1/h\"\nburst = 2")
        .route("limits = [\"home\"]")
        .start();
    let status = |client: &str| {
        let request =
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\n\r\n");
        edge.plain().exchange(request).status
    };
    let of = [
        "2001:db8:0:1::1",
        "2001:db8:0:1:ffff::2",
        "2001:db8:0:1::3",
        "2001:db8:0:2::1",
    ];
    assert_eq!(of.map(status), [200, 200, 429, 200]);
    // An address of IPv4 is whole, however it is written.
    let of = ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"];
    assert_eq!(of.map(status), [200, 200, 429, 200]);
}

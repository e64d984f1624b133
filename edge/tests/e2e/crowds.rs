//! How many connections one client may have, at all workers together.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::support::{Client, Setup, Upstream, free_port, light, wait_until};

const LIMIT: Duration = Duration::from_secs(5);
const GOOD: &str = "GET /good HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A connection from an address of the loopback network.
fn from(last: u8, to: SocketAddr) -> Client {
    let addr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    Client::plain_from(addr, to, LIMIT).expect("it is listened on")
}

/// Whether a request is answered; else the connection has been closed.
fn is_served(client: &mut Client) -> bool {
    let sent = client.try_send(GOOD.as_bytes());
    sent.is_ok()
        && client
            .response_within(false, LIMIT)
            .is_ok_and(|response| response.status == 200)
}

#[test]
fn one_client_has_so_many_connections_and_no_more() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .top("workers = 2")
        .section(
            "bounds",
            "connections_per_address = 3\nconnections_exempt = [\"127.0.0.9\"]",
        )
        .start();
    let refused = || edge.metrics().sum("edge_connections_refused_total", &[]);
    let mut open: Vec<Client> = (0..3).map(|_| from(2, edge.http)).collect();
    assert!(open.iter_mut().all(is_served));
    for to in [edge.http, edge.https] {
        assert!(!is_served(&mut from(2, to)), "one too many");
    }
    assert!(wait_until(LIMIT, || refused() == 2.0), "{}", refused());
    assert!(is_served(&mut from(3, edge.http)), "another client");
    let mut exempt: Vec<Client> = (0..5).map(|_| from(9, edge.http)).collect();
    assert!(exempt.iter_mut().all(is_served));
    assert!(open.iter_mut().all(is_served), "what was open stays so");
    drop(open.pop());
    let again = || is_served(&mut from(2, edge.http));
    assert!(wait_until(LIMIT, again), "there is room once more");
    let output = edge.process.output();
    assert!(
        output.contains("127.0.0.2") && output.contains("connections refused"),
        "{output}"
    );
}

/// Behind a proxy that says whose connection it is, that client counts and not the proxy.
#[test]
fn clients_that_a_proxy_names_count_each_for_itself() {
    let _machine = light();
    let upstream = Upstream::ok();
    let http = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), free_port());
    let _edge = Setup::new(upstream.address)
        .http_at(http)
        .listen(&format!("redirect = false\nproxy_protocol = [\"{http}\"]"))
        .section("bounds", "connections_per_address = 2")
        .section("forwarding", "trusted = [\"127.0.0.0/8\"]")
        .start();
    let named = |client: u8| {
        let mut connection = Client::plain(http);
        let header = format!("PROXY TCP4 198.51.100.{client} 192.0.2.1 5555 80\r\n");
        let sent = connection.try_send(header.as_bytes());
        let served = sent.is_ok() && is_served(&mut connection);
        (connection, served)
    };
    let open: Vec<_> = (0..2).map(|_| named(1)).collect();
    assert!(open.iter().all(|(_, served)| *served));
    assert!(!named(1).1, "one too many");
    let others: Vec<_> = (10..14).map(named).collect();
    assert!(others.iter().all(|(_, served)| *served));
}

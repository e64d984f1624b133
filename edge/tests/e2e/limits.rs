//! Bounds and deadlines of the configuration: what exceeds them is cut, and nothing else is.

use std::time::{Duration, Instant};

use crate::support::{Answer, Client, Demo, Edge, End, H2, Setup, Upstream, light, wait_until};

const LIMIT: Duration = Duration::from_secs(4);

const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// How many exchanges the demo has seen its peer give up.
fn aborted(edge: &Edge) -> u64 {
    let stats = edge.plain().exchange(GET.replace("/ ", "/stats ")).json();
    stats["aborted"].as_u64().expect("a count")
}

#[test]
fn silent_bodies_are_cut() {
    let _machine = light();
    let upstream = Upstream::start(Answer::Keep(Vec::new()));
    let setup = Setup::new(upstream.address);
    let edge = setup
        .section("timeouts", "body = \"1s\"\ndrain = \"1s\"")
        .start();
    let mut clients = [edge.plain(), edge.tls()];
    for client in &mut clients {
        client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
    }
    let mut h2 = H2::connect(edge.https, edge.authority());
    let stream = h2.begin("/");
    h2.run_for(Duration::from_millis(1500));
    for mut client in clients {
        let (bytes, end) = client.read_to_end(LIMIT);
        let text = String::from_utf8_lossy(&bytes);
        assert_ne!(end, End::TimedOut, "a body that never comes is waited for");
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 408 "),
            "{text}"
        );
    }
    assert!(wait_until(LIMIT, || upstream.closed() == upstream.connections()));
    assert_eq!(upstream.connections(), 3);
    drop(stream);
}

#[test]
fn clients_that_stop_reading_are_cut() {
    let _machine = light();
    let demo = Demo::start();
    let setup = Setup::new(demo.address);
    let edge = setup
        .section("timeouts", "send = \"1s\"\ndrain = \"1s\"")
        .start();
    let get = GET.replace("/ ", "/bytes?n=500000000 ");
    let mut clients = [edge.plain(), edge.tls()];
    for client in &mut clients {
        client.send(&get);
    }
    let mut h2 = H2::connect(edge.https, edge.authority());
    // The window of the stream is full; the connection itself goes on.
    let stream = h2.open("/bytes?n=500000000");
    let start = Instant::now();
    let all_cut = wait_until(LIMIT, || {
        h2.run_for(Duration::from_millis(50));
        aborted(&edge) >= 3
    });
    assert!(
        all_cut,
        "{} of 3 given up after {:?}",
        aborted(&edge),
        start.elapsed()
    );
    // One that reads slowly, but reads, is served to the end.
    let mut slow = edge.tls();
    slow.send(GET.replace("/ ", "/bytes?n=6000000 "));
    let mut read = 0;
    for _ in 0..6 {
        read += slow.skip(1_000_000, LIMIT);
        std::thread::sleep(Duration::from_millis(400));
    }
    read += slow.skip(1_000_000, Duration::from_millis(300));
    assert!(read >= 6_000_000, "{read} bytes");
    drop(stream);
}

#[test]
fn connections_beyond_the_bound_do_not_harm_the_others() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section("bounds", "connections = 8")
        .start();
    let mut first: Vec<Client> = (0..8).map(|_| edge.plain()).collect();
    for client in &mut first {
        assert_eq!(client.exchange(GET).status, 200);
    }
    // The kernel completes these handshakes whether edge accepts or not.
    let mut more: Vec<Client> = (0..8).map(|_| edge.plain()).collect();
    for client in &mut more {
        // May be closed already.
        let _ = client.try_send(GET.as_bytes());
        let answer = client.response_within(false, Duration::from_millis(100));
        assert!(answer.map_or(true, |response| response.status == 503));
    }
    for client in &mut first {
        assert_eq!(client.exchange(GET).status, 200);
    }
    drop((first, more));
    let served = || {
        let mut client = edge.plain();
        client.try_send(GET.as_bytes()).is_ok() && client.response_within(false, LIMIT).is_ok()
    };
    assert!(wait_until(LIMIT, served), "places become free again");
}

#[test]
fn a_connection_ends_after_its_share_of_requests() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let edge = setup
        .section("bounds", "requests_per_connection = 3\nstreams = 4")
        .start();
    let mut client = edge.tls();
    for expected in [None, None, Some("close")] {
        let response = client.exchange(GET);
        assert_eq!(
            (response.status, response.header("connection")),
            (200, expected)
        );
    }
    assert_eq!(client.read_to_end(LIMIT), (Vec::new(), End::Clean));
}

#[test]
fn streams_beyond_the_bound_wait_their_turn() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .section("bounds", "streams = 4")
        .start();
    let mut h2 = H2::connect(edge.https, edge.authority());
    // The settings must have arrived before the client may be held to them.
    assert_eq!(
        h2.get_within("/headers", LIMIT)
            .map(|response| response.status),
        Ok(200)
    );
    let start = Instant::now();
    for answer in h2.all(&["/slow?ms=200"; 12]) {
        assert_eq!(answer.map(|response| response.status), Ok(200));
    }
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(550),
        "twelve streams of 200 ms, four at a time, took {took:?}"
    );
}

#[test]
fn the_limit_of_an_address_holds_for_all_workers_together() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .top("workers = 2")
        .section("limit", "requests = \"10/m\"\nburst = 20")
        .start();
    // The kernel spreads connections over the workers.
    let statuses: Vec<u16> = (0..80).map(|_| edge.plain().exchange(GET).status).collect();
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!(
        (20..=21).contains(&served),
        "{served} served with a burst of 20"
    );
}

#[test]
fn two_workers_serve_alike() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).top("workers = 2").start();
    for round in 0..40 {
        let response = edge.tls().exchange(GET.replace("/ ", "/bytes?n=1000 "));
        assert_eq!(
            (response.status, response.body.len()),
            (200, 1000),
            "round {round}"
        );
    }
    let lines = || {
        let log = std::fs::read_to_string(edge.file("access.log")).unwrap_or_default();
        log.lines().count()
    };
    assert!(
        wait_until(LIMIT, || lines() == 40),
        "{} lines for 40 requests",
        lines()
    );
    let counted = || {
        edge.metrics()
            .sum("edge_requests_total", &["status_class=\"2xx\""])
            == 40.0
    };
    assert!(wait_until(LIMIT, counted), "{}", edge.metrics().text);
}

#[test]
fn unix_sockets_are_upstreams_too() {
    let _machine = light();
    let setup = Setup::new("127.0.0.1:1");
    let path = setup.dir.path().join("demo.sock");
    let demo = Demo::start_unix(&path);
    let routes = format!(
        "[[host.route]]\npath = \"/headers\"\nupstream = \"unix:{}\"\n",
        path.display()
    );
    let edge = setup.more_routes(&routes).start();
    let mut client = edge.tls();
    for _ in 0..3 {
        let response = client.exchange(GET.replace("/ ", "/headers "));
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.json()["peer"], "unix");
    }
    drop(demo);
    assert_eq!(client.exchange(GET.replace("/ ", "/headers ")).status, 502);
}

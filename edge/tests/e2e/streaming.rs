//! Streams: nothing is held back, quiet ones stay alive, ends are noticed, memory is bounded.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::{
    Answer, Client, Demo, Edge, End, H2, Setup, Upstream, light, rss_bytes, wait_until,
};

const LIMIT: Duration = Duration::from_secs(3);

/// What a few blocked transfers of half a gigabyte each may cost together: mostly what the allocator keeps.
const GROWTH_MAX: u64 = 32 << 20;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn event_stream(first: &str) -> Vec<u8> {
    let chunk = match first.len() {
        0 => String::new(),
        size => format!("{size:x}\r\n{first}\r\n"),
    };
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}").into()
}

#[test]
fn the_head_of_a_stream_comes_before_its_first_event() {
    let _machine = light();
    let upstream = Upstream::start(Answer::Hold(event_stream("")));
    let edge = Setup::new(upstream.address).start();
    let mut client = edge.tls();
    client.send(get("/"));
    client.read_until("\r\n\r\n", Duration::from_secs(1));
    let mut h2 = H2::connect(edge.https, edge.authority());
    h2.head_within("/", Duration::from_secs(1))
        .expect("a head over HTTP/2");
}

#[test]
fn quiet_streams_get_comments_at_event_boundaries_only() {
    let _machine = light();
    let whole = Upstream::start(Answer::Hold(event_stream("data: 1\n\n")));
    let half = Upstream::start(Answer::Hold(event_stream("data: 1\n\ndata: 2")));
    let packed = event_stream("data: 1\n\n");
    let packed = String::from_utf8(packed)
        .expect("ASCII")
        .replace("\r\n\r\n9", "\r\nContent-Encoding: gzip\r\n\r\n9");
    let compressed = Upstream::start(Answer::Hold(packed.into()));
    let table = |path: &str, upstream: &Upstream, keep_alive: &str| {
        format!(
            "[[host.route]]\npath = \"{path}\"\nupstream = \"http://{}\"\nkeep_alive = \"{keep_alive}\"\n",
            upstream.address
        )
    };
    let routes = table("/whole", &whole, "200ms")
        + &table("/half", &half, "200ms")
        + &table("/compressed", &compressed, "200ms")
        + &table("/off", &whole, "off");
    let edge = Setup::new(whole.address).more_routes(&routes).start();
    let listen = |path: &str| {
        let mut client = edge.tls();
        client.send(get(path));
        client
    };
    let mut clients = ["/whole", "/half", "/compressed", "/off"].map(listen);
    let texts = clients.each_mut().map(|client| {
        let (bytes, end) = client.read_to_end(Duration::from_millis(1100));
        assert_eq!(end, End::TimedOut, "a quiet stream must stay open");
        String::from_utf8(bytes).expect("ASCII")
    });
    let comments = |text: &str| text.matches("\n:").count();
    assert!((3..=6).contains(&comments(&texts[0])), "{}", texts[0]);
    for text in &texts[1..] {
        assert_eq!(comments(text), 0, "{text}");
    }
}

#[test]
fn a_client_that_leaves_is_noticed_upstream() {
    let _machine = light();
    // Three moments: before the answer, amid a silent stream, amid a busy one.
    for answer in [
        Answer::Keep(Vec::new()),
        Answer::Keep(event_stream("data: 1\n\n")),
        Answer::Repeat(
            b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n".to_vec(),
            Duration::from_millis(5),
        ),
    ] {
        let upstream = Upstream::start(answer.clone());
        let edge = Setup::new(upstream.address).start();
        let request = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
        let leave: [&dyn Fn(); 3] = [
            &|| drop(sent(edge.plain(), request, &upstream)),
            &|| drop(sent(edge.tls(), request, &upstream)),
            &|| {
                let mut h2 = H2::connect(edge.https, edge.authority());
                let before = upstream.connections();
                let stream = h2.begin("/");
                h2.run_until(LIMIT, || upstream.connections() > before);
                drop(stream);
                // The connection stays: only the stream is reset.
                h2.run_for(Duration::from_millis(100));
                assert!(wait_until(Duration::from_secs(1), || upstream.closed()
                    == upstream.connections()));
            },
        ];
        for (way, leave) in leave.iter().enumerate() {
            leave();
            let noticed = wait_until(Duration::from_secs(1), || {
                upstream.closed() == upstream.connections()
            });
            assert!(
                noticed,
                "way {way} of leaving {answer:?} is unnoticed after a second"
            );
            assert_eq!(upstream.connections(), way + 1);
        }
    }
}

/// Sends a request and waits until the upstream has it.
fn sent(mut client: Client, request: &str, upstream: &Upstream) -> Client {
    let before = upstream.received().len();
    client.send(request);
    assert!(
        wait_until(LIMIT, || upstream.received().len() > before),
        "the request arrives"
    );
    std::thread::sleep(Duration::from_millis(50));
    client
}

#[test]
fn a_slow_reader_stops_the_upstream_and_fills_no_memory() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    let pid = edge.process.pid();
    assert_eq!(
        edge.tls().exchange(get("/bytes?n=5000000")).body.len(),
        5_000_000
    );
    let before = rss_bytes(pid);
    let mut slow = [edge.tls(), edge.plain()];
    let mut h2 = H2::connect(edge.https, edge.authority());
    for client in &mut slow {
        client.send(get("/bytes?n=500000000"));
        assert!(client.skip(1_000_000, LIMIT) >= 1_000_000);
    }
    let held = h2.open("/bytes?n=500000000");
    let mut peak = 0;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        h2.run_for(Duration::from_millis(50));
        peak = peak.max(rss_bytes(pid));
    }
    let growth = peak.saturating_sub(before);
    assert!(
        growth < GROWTH_MAX,
        "three blocked downloads cost {} KiB",
        growth / 1024
    );
    // They are slow, not dead.
    assert!(slow[0].skip(20_000_000, LIMIT) >= 20_000_000);
    drop(held);
}

#[test]
fn a_slow_upstream_stops_the_upload_and_fills_no_memory() {
    let _machine = light();
    let upstream = Upstream::start(Answer::Hold(Vec::new()));
    let edge = Setup::new(upstream.address).start();
    let pid = edge.process.pid();
    let mut warm_up = edge.tls();
    warm_up.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
    assert!(wait_until(LIMIT, || upstream.connections() == 1));
    let before = rss_bytes(pid);
    let mut client = edge.plain();
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000000\r\n\r\n");
    let mut taken = 0;
    client
        .socket()
        .set_write_timeout(Some(Duration::from_secs(1)))
        .expect("not zero");
    while taken < 500_000_000 {
        match client.socket().write(&[b'x'; 256 * 1024]) {
            Ok(written) => taken += written,
            Err(_) => break,
        }
    }
    let mut h2 = H2::connect(edge.https, edge.authority());
    let mut stream = h2.begin("/");
    let h2_taken = h2.send_for(&mut stream, 500_000_000, Duration::from_secs(1));
    let growth = rss_bytes(pid).saturating_sub(before);
    // Socket buffers of both sides take a few megabytes on loopback.
    assert!(
        taken < 50_000_000 && h2_taken < 50_000_000,
        "{taken} and {h2_taken} bytes went nowhere"
    );
    assert!(
        growth < GROWTH_MAX,
        "two blocked uploads cost {} KiB",
        growth / 1024
    );
}

#[test]
fn bytes_pass_as_they_come() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    let delays = |mut read: Box<dyn FnMut() -> String + '_>| {
        for _ in 0..20 {
            let event = read();
            let sent_us: u64 = number_after(&event, "\"sent_us\":");
            let delay_us = now_us().saturating_sub(sent_us);
            assert!(delay_us < 50_000, "an event took {delay_us} µs");
        }
    };
    let open = |mut client: Client| {
        client.send(get("/sse?interval_ms=20&n=30"));
        client
    };
    for connect in [Edge::plain, Edge::tls] {
        let mut client = open(connect(&edge));
        client.read_until("\r\n\r\n", LIMIT);
        delays(Box::new(|| client.read_until("}\n\n", LIMIT)));
    }
}

fn number_after(text: &str, key: &str) -> u64 {
    let (_, rest) = text
        .split_once(key)
        .unwrap_or_else(|| panic!("no {key} in {text}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("digits are a number")
}

fn now_us() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(now.as_micros()).expect("before the year 586,000")
}

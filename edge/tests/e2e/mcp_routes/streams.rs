//! Event streams: how many, how often opened, and how they end.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::limits::LIMITS;
use super::{LIMIT, error_of};
use crate::support::{Answer, Edge, Setup, Upstream, light, wait_until};

const STREAM: &str = "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";

fn events(first: &str) -> Answer {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked";
    Answer::Hold(format!("{head}\r\n\r\n{:x}\r\n{first}\r\n", first.len()).into())
}

#[test]
fn streams_have_limits_of_their_own() {
    let _machine = light();
    let upstream = Upstream::start(events("data: 1\n\n"));
    let limit = "requests = \"1/h\"\nburst = 1\n[limit.penalty]\nrefused = 1";
    let edge = Setup::new(upstream.address)
        .route(LIMITS)
        .section("limit", limit)
        .start();
    // A client that comes back with all its streams is no flood of calls, and is not punished.
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = edge.plain();
        client.send(STREAM);
        client.read_until("data: 1", LIMIT);
        open.push(client);
    }
    let (status, error, retry_after) = error_of(&edge, STREAM);
    assert_eq!(
        (status, &error["error"]["code"]),
        (429, &(-32005).into()),
        "three are open"
    );
    assert!(retry_after.is_some());
    drop(open.pop());
    let reopened = wait_until(LIMIT, || {
        let mut client = edge.plain();
        client.send(STREAM);
        let status = client
            .response_within(true, LIMIT)
            .expect("an answer")
            .status;
        if status == 200 {
            open.push(client);
        }
        status == 200 || edge.metrics().sum("edge_streams", &[]) < 3.0
    });
    assert!(reopened);
    drop(open);
    // By now the five openings are used up, whatever is open.
    assert!(wait_until(LIMIT, || edge
        .metrics()
        .sum("edge_streams", &[])
        == 0.0));
    let statuses: Vec<u16> = (0..4).map(|_| error_of_stream(&edge)).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(edge.metrics().sum("edge_bans_total", &[]), 0.0);
}

fn error_of_stream(edge: &Edge) -> u16 {
    let mut client = edge.plain();
    client.send(STREAM);
    client
        .response_within(true, LIMIT)
        .expect("an answer")
        .status
}

#[test]
fn a_drained_stream_is_told_when_to_come_back() {
    let _machine = light();
    let whole = Upstream::start(events("data: 1\n\n"));
    let half = Upstream::start(events("data: 1\n\ndata: 2"));
    let routes = format!(
        "[[host.route]]\npath = \"/half\"\nupstream = \"http://{}\"\nmcp = true\n",
        half.address
    );
    let edge = Setup::new(whole.address)
        .route("mcp = true")
        .more_routes(&routes)
        .start();
    let mut streams = ["/mcp", "/half"].map(|path| {
        let mut client = edge.plain();
        client.send(STREAM.replace("/mcp", path));
        client.read_until("data: 1", LIMIT);
        client
    });
    edge.process.signal(Signal::SIGTERM);
    let [whole, half] = streams.each_mut().map(|client| {
        let (bytes, _) = client.read_to_end(Duration::from_secs(5));
        String::from_utf8(bytes).expect("text")
    });
    let hint = whole.split_once("retry: ").expect(&whole).1;
    let delay: u64 = hint[..4].parse().expect("milliseconds");
    assert!((1000..2000).contains(&delay), "{whole}");
    assert!(whole.ends_with("\r\n0\r\n\r\n"), "a clean end: {whole}");
    assert!(!half.contains("retry"), "never inside an event: {half}");
}

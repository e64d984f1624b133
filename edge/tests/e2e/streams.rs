//! Two thousand event streams on one worker: none loses an event, none gets one late, all are cheap.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use crate::support::{ALPN_H1, Demo, Setup, heavy, rss_bytes, tls_config};

const STREAMS: usize = 2_000;
/// Events of each stream, one a second.
const EVENTS: u64 = 30;
/// From the upstream's clock reading to ours.
const LATE_MAX: Duration = Duration::from_millis(250);
/// Handshakes at a time, so that the ramp does not delay the streams already open.
const OPENING_MAX: usize = 16;
/// User-space memory of one stream, TLS session included. The goal is 20 KiB with release settings; this
/// bound is for what would be a mistake in any build.
const BYTES_PER_STREAM_MAX: u64 = 48 << 10;

#[test]
fn two_thousand_streams_on_one_worker() {
    let _machine = heavy();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits can be read");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        .expect("the soft limit may rise to the hard one");
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    let pid = edge.process.pid();
    let config = tls_config(&edge.authority().roots(), ALPN_H1);
    let address = edge.https;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let (results, empty, full) = runtime.block_on(async {
        // The first connection pays for what all share.
        listen(Arc::clone(&config), address, 1, &Semaphore::new(1)).await;
        let empty = rss_bytes(pid);
        let gate = Arc::new(Semaphore::new(OPENING_MAX));
        let open = |_| {
            let (config, gate) = (Arc::clone(&config), Arc::clone(&gate));
            tokio::spawn(async move { listen(config, address, EVENTS, &gate).await })
        };
        let streams: Vec<_> = (0..STREAMS).map(open).collect();
        tokio::time::sleep(Duration::from_secs(EVENTS - 5)).await;
        let full = rss_bytes(pid);
        let mut results = Vec::new();
        for stream in streams {
            let limit = Duration::from_secs(60);
            let result = tokio::time::timeout(limit, stream)
                .await
                .expect("streams end");
            results.push(result.expect("streams do not panic"));
        }
        (results, empty, full)
    });
    let mut lateness: Vec<Duration> = results
        .iter()
        .flat_map(|events| events.lateness.iter().copied())
        .collect();
    lateness.sort_unstable();
    let percentile = |share: f64| lateness[((lateness.len() - 1) as f64 * share) as usize];
    let per_stream = full.saturating_sub(empty) / STREAMS as u64;
    println!(
        "{STREAMS} streams: {} events, lateness median {:?}, p99 {:?}, worst {:?}; {:.1} KiB of memory a stream",
        lateness.len(),
        percentile(0.5),
        percentile(0.99),
        percentile(1.0),
        per_stream as f64 / 1024.0,
    );
    let expected: Vec<u64> = (0..EVENTS).collect();
    let broken = results
        .iter()
        .filter(|events| events.sequence != expected)
        .count();
    let example = results.iter().find(|events| events.sequence != expected);
    assert_eq!(
        broken, 0,
        "streams with lost events, for example {example:?}"
    );
    let late = lateness
        .iter()
        .filter(|lateness| **lateness > LATE_MAX)
        .count();
    assert_eq!(
        late,
        0,
        "events later than {LATE_MAX:?}; the worst by {:?}",
        percentile(1.0)
    );
    assert!(
        per_stream < BYTES_PER_STREAM_MAX,
        "{per_stream} bytes a stream"
    );
}

/// What one stream brought.
#[derive(Debug, Default)]
struct Events {
    sequence: Vec<u64>,
    lateness: Vec<Duration>,
    /// Why it ended early, if it did.
    error: Option<String>,
}

/// Opens a stream of `count` events and reads it to its end.
async fn listen(
    config: Arc<ClientConfig>,
    address: SocketAddr,
    count: u64,
    gate: &Semaphore,
) -> Events {
    let mut events = Events::default();
    if let Err(error) = read_events(config, address, count, gate, &mut events).await {
        events.error = Some(error.to_string());
    }
    events
}

async fn read_events(
    config: Arc<ClientConfig>,
    address: SocketAddr,
    count: u64,
    gate: &Semaphore,
    events: &mut Events,
) -> std::io::Result<()> {
    let opening = gate.acquire().await.expect("the gate is never closed");
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").expect("a valid name");
    let mut stream = TlsConnector::from(config).connect(name, stream).await?;
    let request =
        format!("GET /sse?interval_ms=1000&n={count} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut raw = Vec::new();
    stream.read_buf(&mut raw).await?;
    drop(opening);
    let head = loop {
        if let Some(end) = memchr::memmem::find(&raw, b"\r\n\r\n") {
            break end + 4;
        }
        stream.read_buf(&mut raw).await?;
    };
    let status = String::from_utf8_lossy(&raw[..head.min(12)]).into_owned();
    if status != "HTTP/1.1 200" {
        return Err(std::io::Error::other(status));
    }
    raw.drain(..head);
    let mut text = Vec::new();
    while !take_chunks(&mut raw, &mut text)? {
        take_events(&mut text, events);
        if stream.read_buf(&mut raw).await? == 0 {
            return Err(std::io::Error::other("closed before the last chunk"));
        }
    }
    take_events(&mut text, events);
    Ok(())
}

/// Moves the data of complete chunks from `raw` to `text`; true at the last one.
fn take_chunks(raw: &mut Vec<u8>, text: &mut Vec<u8>) -> std::io::Result<bool> {
    loop {
        let parsed =
            httparse::parse_chunk_size(raw).map_err(|_| std::io::Error::other("bad chunk size"))?;
        let httparse::Status::Complete((used, size)) = parsed else {
            return Ok(false);
        };
        let end = used + usize::try_from(size).map_err(std::io::Error::other)?;
        if raw.len() < end + 2 {
            return Ok(false);
        }
        text.extend_from_slice(&raw[used..end]);
        raw.drain(..end + 2);
        if size == 0 {
            return Ok(true);
        }
    }
}

/// Takes whole events from `text` and notes their numbers and how late they are.
fn take_events(text: &mut Vec<u8>, events: &mut Events) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    while let Some(end) = memchr::memmem::find(text, b"\n\n") {
        let event: Vec<u8> = text.drain(..end + 2).collect();
        let data = event
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(b"data: "));
        let Some(data) = data else {
            continue; // A comment that keeps the stream alive.
        };
        let json: serde_json::Value = serde_json::from_slice(data).expect("the demo sends JSON");
        let number = |key: &str| json[key].as_u64().expect("the demo sends numbers");
        events.sequence.push(number("seq"));
        events
            .lateness
            .push(now.saturating_sub(Duration::from_micros(number("sent_us"))));
    }
}

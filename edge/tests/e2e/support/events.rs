//! A client of the demo's event streams, which misses nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

/// What one stream brought.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) sequence: Vec<u64>,
    pub(crate) lateness: Vec<Duration>,
    /// Why it ended early, if it did.
    pub(crate) error: Option<String>,
}

/// Opens a stream of `count` events, one a second, and reads it to its end.
pub(crate) async fn listen(
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

/// The numbers of the events in a text.
pub(crate) fn events_of(mut text: Vec<u8>) -> Vec<u64> {
    let mut events = Events::default();
    take_events(&mut text, &mut events);
    events.sequence
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

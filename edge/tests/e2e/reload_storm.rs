//! A hundred reloads under load: two hundred open event streams and a thousand requests a second, over
//! HTTP/1.1, HTTP/2 and HTTP/3.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use crate::support::{
    ALPN_H1, ALPN_H2, Demo, Process, Setup, events_of, free_port, h2_request, heavy, listen, peer,
    tls_config,
};

const RELOADS: usize = 100;
/// Over HTTP/1.1, each on a connection of its own.
const STREAMS: usize = 100;
/// Over HTTP/2 and over HTTP/3: connections, and streams of each.
const SHARED: usize = 5;
const STREAMS_EACH: usize = 10;
/// Events of each stream, one a second: longer than the reloads take.
const EVENTS: u64 = 20;
/// Clients that keep their connection, and as many that open one for every request.
const CLIENTS: usize = 10;
/// From one request of a client to its next, for a thousand a second by those on connections of HTTP/1.1.
const PAUSE: Duration = Duration::from_millis(20);
/// Answers a second that must have come over TCP, with every core busy.
const RATE_MIN: f64 = 1_000.0;
/// The same of the worst second.
const WORST_RATE_MIN: f64 = 500.0;

#[test]
fn a_hundred_reloads_lose_nothing() {
    let _machine = heavy();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address).top("workers = 2").start();
    let address = edge.http;
    let config = tls_config(&edge.authority().roots(), ALPN_H1);
    let config_h2 = tls_config(&edge.authority().roots(), ALPN_H2);
    let ca = edge.file("ca.pem").display().to_string();
    let counts = [SHARED as u64, STREAMS_EACH as u64, EVENTS].map(|count| count.to_string());
    let [connections, each, events] = &counts;
    let url = edge.url();
    let arguments = [&url, &ca, connections, each, events].map(String::as_str);
    let mut over_http3 = Process::start("h3_storm.py", peer("h3_storm.py", &arguments));
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let started = Instant::now();
    let (streams, failures, turns) = runtime.block_on(async {
        let gate = Arc::new(Semaphore::new(16));
        let https = edge.https;
        let open = |_| {
            let (config, gate) = (Arc::clone(&config), Arc::clone(&gate));
            tokio::spawn(async move { listen(config, https, EVENTS, &gate).await })
        };
        let streams: Vec<_> = (0..STREAMS).map(open).collect();
        let shared: Vec<_> = (0..SHARED)
            .map(|_| {
                let (config, stop) = (Arc::clone(&config_h2), Arc::clone(&stop));
                tokio::spawn(share(config, https, stop, Arc::clone(&answered)))
            })
            .collect();
        let clients: Vec<_> = (0..2 * CLIENTS)
            .map(|client| {
                let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
                tokio::spawn(ask(address, client < CLIENTS, stop, answered))
            })
            .collect();
        let reloads = Reloads {
            socket: edge.file("admin.sock"),
            file: edge.file("edge.toml"),
            text: edge.config(),
            http: address,
            answered: Arc::clone(&answered),
        };
        let turns = tokio::task::spawn_blocking(move || reloads.run())
            .await
            .expect("reloads do not panic");
        stop.store(true, Relaxed);
        let mut failures = Vec::new();
        for client in clients {
            failures.extend(client.await.expect("clients do not panic"));
        }
        let mut read = Vec::new();
        for stream in streams {
            read.push(stream.await.expect("streams do not panic"));
        }
        for connection in shared {
            failures.extend(connection.await.expect("connections do not panic"));
        }
        (read, failures, turns)
    });
    let (code, stdout, stderr) = over_http3.finish(Duration::from_secs(60));
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let over_http3: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(over_http3["failures"], serde_json::json!([]));
    let over_http3 = over_http3["answered"].as_u64().expect("a number");
    let worst = turns.iter().map(|turn| turn.took).max();
    let total: Duration = turns.iter().map(|turn| turn.took).sum();
    let rate = |turns: &[Turn]| {
        let (first, last) = (&turns[0], &turns[turns.len() - 1]);
        (last.answered - first.answered) as f64 / (last.at - first.at).as_secs_f64()
    };
    // A turn takes a tenth of a second or longer.
    let slowest = turns.windows(11).map(rate).fold(f64::INFINITY, f64::min);
    let rate = rate(&turns);
    println!(
        "{RELOADS} reloads, {:?} each, the slowest {worst:?}; {rate:.0} requests a second over TCP, \
         {slowest:.0} in the worst one, {over_http3} over HTTP/3 in {:?}",
        total / RELOADS as u32,
        started.elapsed(),
    );
    assert!(
        failures.is_empty(),
        "{} lost: {:?}",
        failures.len(),
        failures[0]
    );
    let expected: Vec<u64> = (0..EVENTS).collect();
    let broken: Vec<_> = streams
        .iter()
        .filter(|events| events.sequence != expected || events.error.is_some())
        .collect();
    assert!(
        broken.is_empty(),
        "{} streams: {:?}",
        broken.len(),
        broken[0]
    );
    assert!(
        rate > RATE_MIN && slowest > WORST_RATE_MIN && over_http3 > 200,
        "too little load to prove much: {rate:.0} a second, {slowest:.0} in the worst"
    );
    edge.assert_healthy();
}

/// Asks again and again; what went wrong.
async fn ask(
    address: SocketAddr,
    keep: bool,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) -> Vec<String> {
    let mut failures = Vec::new();
    let mut connection = None;
    let mut next = tokio::time::Instant::now();
    while !stop.load(Relaxed) {
        let outcome =
            tokio::time::timeout(Duration::from_secs(5), exchange(address, &mut connection));
        match outcome.await {
            Ok(Ok(())) => {
                answered.fetch_add(1, Relaxed);
            }
            Ok(Err(error)) => failures.push(error.to_string()),
            Err(_) => failures.push("no answer within five seconds".to_owned()),
        }
        if !keep || !failures.is_empty() {
            connection = None;
        }
        // Who was kept waiting makes up for it.
        next += PAUSE;
        tokio::time::sleep_until(next).await;
    }
    failures
}

async fn exchange(address: SocketAddr, connection: &mut Option<TcpStream>) -> std::io::Result<()> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            connection.insert(stream)
        }
    };
    let request = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::Error::other("closed before the answer"));
        }
    }
    match answer.starts_with(b"HTTP/1.1 200") {
        true => Ok(()),
        false => Err(std::io::Error::other(
            String::from_utf8_lossy(&answer).into_owned(),
        )),
    }
}

/// A connection of HTTP/2 with event streams, over which a client asks meanwhile; what went wrong.
async fn share(
    config: Arc<rustls::ClientConfig>,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) -> Vec<String> {
    let stream = TcpStream::connect(address).await.expect("edge listens");
    let name = ServerName::try_from("localhost").expect("a valid name");
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .expect("the handshake succeeds");
    let (requests, connection) = h2::client::handshake(stream)
        .await
        .expect("settings are exchanged");
    // Its errors reach every stream.
    tokio::spawn(async { drop(connection.await) });
    let path = format!("/sse?interval_ms=1000&n={EVENTS}");
    let streams: Vec<_> = (0..STREAMS_EACH)
        .map(|_| tokio::spawn(fetch(requests.clone(), "GET", path.clone(), Bytes::new())))
        .collect();
    let mut failures = Vec::new();
    let mut next = tokio::time::Instant::now();
    while !stop.load(Relaxed) && failures.is_empty() {
        let hello = Bytes::from_static(b"hello");
        match fetch(requests.clone(), "POST", "/echo".to_owned(), hello).await {
            Ok(answer) if answer == b"hello" => {
                answered.fetch_add(1, Relaxed);
            }
            Ok(answer) => failures.push(String::from_utf8_lossy(&answer).into_owned()),
            Err(error) => failures.push(error.to_string()),
        }
        next += PAUSE;
        tokio::time::sleep_until(next).await;
    }
    let expected: Vec<u64> = (0..EVENTS).collect();
    for stream in streams {
        match stream.await.expect("streams do not panic") {
            Ok(text) if events_of(text.clone()) == expected => {}
            Ok(text) => failures.push(String::from_utf8_lossy(&text).into_owned()),
            Err(error) => failures.push(error.to_string()),
        }
    }
    failures
}

/// The content of an answer.
async fn fetch(
    requests: SendRequest<Bytes>,
    method: &str,
    path: String,
    body: Bytes,
) -> Result<Vec<u8>, h2::Error> {
    let mut requests = requests.ready().await?;
    let request = h2_request(method, &path, &[]);
    let (answer, mut sending) = requests.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        sending.send_data(body, true)?;
    }
    let mut content = answer.await?.into_body();
    let mut text = Vec::new();
    while let Some(data) = content.data().await.transpose()? {
        content.flow_control().release_capacity(data.len())?;
        text.extend_from_slice(&data);
    }
    Ok(text)
}

/// Rewrites the file and has it read, each time otherwise.
struct Reloads {
    socket: PathBuf,
    file: PathBuf,
    text: String,
    http: SocketAddr,
    answered: Arc<AtomicU64>,
}

/// One reload.
struct Turn {
    took: Duration,
    /// When it was over, and how many answers had come by then.
    at: Instant,
    answered: u64,
}

impl Reloads {
    fn run(self) -> Vec<Turn> {
        let added = free_port();
        let one = format!("http = [\"{}\"]", self.http);
        let two = format!("http = [\"{}\", \"127.0.0.1:{added}\"]", self.http);
        let variants = [
            self.text.clone(),
            self.text.replace(&one, &two),
            self.text
                .replace("path = \"/\"", "path = \"/\"\nkeep_alive = \"1s\""),
            self.text
                .replace("requests = \"off\"", "requests = \"1000000/s\""),
            format!("{}[bounds]\nhead_fields = 64\n", self.text),
        ];
        let admin = UnixStream::connect(&self.socket).expect("the admin socket answers");
        let mut reader = BufReader::new(admin.try_clone().expect("descriptors are left"));
        let mut writer = admin;
        (0..RELOADS)
            .map(|number| {
                let text = &variants[number % variants.len()];
                std::fs::write(&self.file, text).expect("our own directory is writable");
                let start = Instant::now();
                writer.write_all(b"\"reload\"\n").expect("it listens");
                let mut line = String::new();
                reader.read_line(&mut line).expect("it answers");
                assert!(line.contains("\"errors\":[]"), "reload {number}: {line}");
                let took = start.elapsed();
                std::thread::sleep(Duration::from_millis(100).saturating_sub(took));
                Turn {
                    took,
                    at: Instant::now(),
                    answered: self.answered.load(Relaxed),
                }
            })
            .collect()
    }
}

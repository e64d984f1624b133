//! Clients that ask for much and take little of it: what waits for each of them is bounded, whatever
//! HTTP it speaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use h2::RecvStream;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{
    ALPN_H1, ALPN_H2, Demo, Edge, Process, Setup, h2_request, heavy, peer, rss_bytes, tls_config,
};

const READERS: usize = 60;
/// What each of them asks for.
const BODY_BYTES: u64 = 200_000_000;
/// Of the reader, so that what it does not take waits at the edge and not with it.
const RECEIVE_BYTES: u32 = 16 << 10;
const LIMIT: Duration = Duration::from_secs(60);

struct Scene {
    _demo: Demo,
    edge: Edge,
}

impl Scene {
    fn set() -> Scene {
        let demo = Demo::start();
        let setup = Setup::new(demo.address);
        let mut command = setup.command();
        // The allocator gives back at once what is not in use, so that what is counted is.
        command.env("MIMALLOC_PURGE_DELAY", "0");
        let edge = setup.start_as(command);
        Scene { _demo: demo, edge }
    }

    fn memory(&self) -> u64 {
        rss_bytes(self.edge.process.pid())
    }

    fn config(&self, alpn: &[&[u8]]) -> Arc<ClientConfig> {
        tls_config(&self.edge.authority().roots(), alpn)
    }
}

async fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .set_recv_buffer_size(RECEIVE_BYTES)
        .expect("buffers may be small");
    let stream = socket.connect(address).await.expect("edge listens");
    let name = ServerName::try_from("localhost").expect("a valid name");
    let connecting = TlsConnector::from(config).connect(name, stream);
    connecting.await.expect("the handshake succeeds")
}

/// Opens readers, lets each take a little now and then, and says what one of them costs.
fn cost<R, F: Future<Output = R>>(
    scene: &Scene,
    open: impl Fn() -> F,
    take: impl AsyncFn(&mut R),
) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let run = async {
        let mut readers = Vec::new();
        // The first of them pay for what all share.
        for _ in 0..4 {
            readers.push(open().await);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = scene.memory();
        for _ in 0..READERS {
            readers.push(open().await);
        }
        for _ in 0..4 {
            for reader in &mut readers {
                take(reader).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let grown = scene.memory().saturating_sub(before);
        grown / READERS as u64 / 1024
    };
    let kib = runtime.block_on(async { tokio::time::timeout(LIMIT, run).await });
    kib.expect("edge answers in time")
}

#[test]
fn over_http1() {
    let _machine = heavy();
    let scene = Scene::set();
    let config = scene.config(ALPN_H1);
    let open = async || {
        let mut stream = connect(scene.edge.https, Arc::clone(&config)).await;
        let request = format!("GET /bytes?n={BODY_BYTES} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let sent = stream.write_all(request.as_bytes()).await;
        sent.expect("edge takes requests");
        stream
    };
    let kib = cost(&scene, open, async |stream| {
        let mut bytes = vec![0; 100_000];
        stream.read_exact(&mut bytes).await.expect("there is more");
    });
    println!("{kib} KiB a reader");
    // What has been read of the server, as much that is sealed, and the connection itself.
    assert!(kib <= 96, "{kib} KiB a reader");
}

/// Windows are wide; it is TCP that stands still.
#[test]
fn over_http2() {
    let _machine = heavy();
    let scene = Scene::set();
    let config = scene.config(ALPN_H2);
    let open = async || {
        let stream = connect(scene.edge.https, Arc::clone(&config)).await;
        let mut client = h2::client::Builder::new();
        client
            .initial_window_size(64 << 20)
            .initial_connection_window_size(64 << 20);
        let opening = client.handshake::<_, bytes::Bytes>(stream);
        let (mut send, mut connection) = opening.await.expect("settings are exchanged");
        let request = h2_request("GET", &format!("/bytes?n={BODY_BYTES}"), &[]);
        let (answer, _) = send.send_request(request, true).expect("it is valid");
        let body = tokio::select! {
            answer = answer => answer.expect("an answer").into_body(),
            _ = &mut connection => panic!("the connection has ended"),
        };
        (connection, body, send)
    };
    let kib = cost(&scene, open, async |(connection, body, _)| {
        let mut left = 100_000;
        while left > 0 {
            left -= tokio::select! {
                taken = take_some(body) => taken.min(left),
                _ = &mut *connection => panic!("the connection has ended"),
            };
        }
    });
    println!("{kib} KiB a reader");
    assert!(kib <= 256, "{kib} KiB a reader");
}

async fn take_some(body: &mut RecvStream) -> usize {
    let data = body.data().await.expect("there is more");
    data.expect("no error").len()
}

/// Some give no credit, others acknowledge nothing.
#[test]
fn over_http3() {
    let _machine = heavy();
    for (how, most) in [("stingy", 300), ("frozen", 1024)] {
        let scene = Scene::set();
        let (ca, url) = (scene.edge.file("ca.pem"), scene.edge.url());
        let ca = ca.display().to_string();
        let ready = scene.edge.file("ready");
        let arguments = ["slow_readers", &url, &ca, &ready.display().to_string(), how];
        let mut readers = Process::start("slow_readers", peer("h3_scenarios.py", &arguments));
        readers.wait_for("warm", LIMIT);
        let before = scene.memory();
        std::fs::write(&ready, "").expect("our own directory is writable");
        readers.wait_for("waiting", LIMIT);
        std::thread::sleep(Duration::from_millis(500));
        let grown = scene.memory().saturating_sub(before);
        // As many as the script opens.
        let kib = grown / 20 / 1024;
        println!("{kib} KiB a reader that is {how}");
        assert!(kib <= most, "{kib} KiB a reader that is {how}");
    }
}

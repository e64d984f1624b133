//! One of two workers fails, on the ring and with real sockets.

mod quic;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::*;
use crate::config::Config;
use crate::limit::{Connections, Expelled, Spared};
use crate::observe::access::{AccessTarget, AccessWriter};
use crate::observe::metrics::Scrape;
use crate::observe::testing;
use crate::observe::trace::SpanExporter;
use crate::proxy::{Snapshot, WorkerParts};
use crate::quic::Keys;
use crate::server::control::KnownSender;
use crate::server::listen::bind_all;
use crate::server::quic::QuicPlan;
use crate::server::signals::Phase;
use crate::server::steer::{self, Steering};
use crate::server::update::{Endpoint, Serving};
use crate::tls;

const PATIENCE: Duration = Duration::from_secs(10);

/// Two workers.
struct Workers {
    metrics: Metrics,
    fail: Vec<Arc<AtomicBool>>,
    threads: Vec<JoinHandle<()>>,
    phase: watch::Sender<Phase>,
    _log: AccessWriter,
}

impl Workers {
    fn start(config: Config, secure: Option<(tls::Server, Keys)>) -> Workers {
        let endpoints = Endpoint::all(&config.listen);
        let sockets = bind_all(&endpoints, 2).expect("the port is free");
        let (tls, keys) = secure.unzip();
        let steering = Steering::new(keys.as_ref(), &[]);
        steer::attach(&steering, &config.listen, &sockets);
        let metrics = Metrics::new(&config);
        let target = AccessTarget::open(&config.log.access).expect("it is off");
        let log = AccessWriter::start(target).expect("a thread");
        let spans = SpanExporter::new(metrics.clone());
        let (phase, _) = watch::channel(Phase::Serve);
        let serving = Serving::new(Snapshot::new(config, None), tls, keys.as_ref());
        let open = Connections::default();
        let quic = keys.map(|keys| QuicPlan::new(keys, open.clone()));
        let (mut fail, mut threads) = (Vec::new(), Vec::new());
        for (index, sockets) in sockets.into_iter().enumerate() {
            let (log, spans, own) = (log.output(), spans.output(), metrics.clone());
            let parts = move || {
                let parts = WorkerParts {
                    log: log.worker(),
                    spans: spans.worker(),
                    metrics: own.worker(),
                    ban: Box::new(|_, _, _| {}),
                    spared: Spared::default(),
                };
                (parts, KnownSender::new(mpsc::channel(1).0))
            };
            let switch = Arc::<AtomicBool>::default();
            fail.push(Arc::clone(&switch));
            let plan = WorkerPlan {
                index,
                cpu: None,
                quic: quic.clone(),
                open: open.clone(),
                sockets,
                serving: serving.clone(),
                parts: Box::new(parts),
                updates: mpsc::channel(1).1,
                phase: phase.subscribe(),
                expelled: Expelled::default(),
                fail: switch,
            };
            threads.push(start(plan, metrics.clone()).expect("a thread"));
        }
        Workers {
            metrics,
            fail,
            threads,
            phase,
            _log: log,
        }
    }

    /// Makes a worker fail, and waits until it has been started again so many times in all.
    fn fail(&self, worker: usize, restarts: u64) {
        self.fail[worker].store(true, Ordering::Relaxed);
        let line = format!("edge_worker_restarts_total {restarts}");
        let until = monotonic_ns() + PATIENCE.as_nanos() as u64;
        while !self.page().lines().any(|found| found == line) {
            assert!(monotonic_ns() < until, "no worker has been started again");
            thread::yield_now();
        }
    }

    fn page(&self) -> String {
        self.metrics.render(&Scrape::default())
    }

    fn stop(self) {
        self.phase.send_replace(Phase::Stop);
        for thread in self.threads {
            thread.join().expect("they end by themselves");
        }
    }
}

/// Connections, each of which has had an answer.
fn connect(addr: SocketAddr) -> Vec<TcpStream> {
    let connections = (0..24).map(|_| {
        let mut stream = TcpStream::connect(addr).expect("they listen");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        assert!(is_answered(&mut stream), "a new connection");
        stream
    });
    connections.collect()
}

/// Whether a request is answered; nothing listens where it would go.
fn is_answered(stream: &mut TcpStream) -> bool {
    let request = b"GET / HTTP/1.1\r\nHost: mcp.example.com\r\n\r\n";
    let mut answer = [0; 4096];
    if stream.write_all(request).is_err() {
        return false;
    }
    let mut length = 0;
    loop {
        match stream.read(&mut answer[length..]) {
            Ok(read) if read > 0 => length += read,
            _ => return false,
        }
        let text = String::from_utf8_lossy(&answer[..length]);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            assert!(head.starts_with("HTTP/1.1 502"), "{head}");
            let name = "content-length: ";
            let line = head
                .lines()
                .find(|line| line.to_lowercase().starts_with(name));
            let length = line.expect("it has one")[name.len()..].parse::<usize>();
            if body.len() == length.expect("a number") {
                return true;
            }
        }
    }
}

#[test]
fn a_worker_that_fails_is_started_again_and_the_others_keep_their_connections() {
    let mut config = testing::config();
    let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let addr = free.local_addr().expect("it listens");
    drop(free);
    config.listen.http = vec![addr];
    let workers = Workers::start(config, None);
    let mut connections = connect(addr);
    for (failed, restarts) in [(0, 1), (1, 2), (0, 3)] {
        workers.fail(failed, restarts);
        let before = connections.len();
        connections.retain_mut(is_answered);
        // Of 24 connections and more each worker has some.
        let left = connections.len();
        assert!(0 < left && left < before, "{left} of {before} are left");
        connections.extend(connect(addr));
    }
    let page = workers.page();
    workers.stop();
    drop(connections);
    assert!(page.contains("edge_worker_restarts_total 3"), "{page}");
}

//! Accepting connections, over TCP or a Unix socket, until told to stop.
//!
//! hyper is driven by hand rather than through `axum::serve`, because some endpoints have to drop
//! a connection without an answer, which a service can only ask for with an error.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tower_service::Service as _;

use super::die::HangUp;
use super::routes;
use super::stats::Stats;
use super::watch::{Exchange, Watched};

/// Worker threads: one to answer, one so that a large tool result does not delay every event.
const THREADS: usize = 2;

/// Where the demo listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address; port 0 picks a free one.
    Tcp(SocketAddr),
    /// A Unix stream socket, created at this path and removed on exit.
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some("") => Err("unix: needs a path".into()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text
                .parse()
                .map(Self::Tcp)
                .map_err(|_| "expected ADDRESS:PORT or unix:/path".into()),
        }
    }
}

/// The address of whoever connected, as `/headers` reports it.
#[derive(Clone, Debug)]
pub(super) struct Peer(pub(super) String);

/// Serves until SIGTERM or SIGINT; prints `listening on http://ADDR` when connections are accepted.
///
/// Open connections are cut on exit, as a killed server's would be.
pub fn serve(listen: &Listen) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            result = accept(listen) => result,
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    })?;
    if let Listen::Unix(path) = listen {
        // Gone already is what we want.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

async fn accept(listen: &Listen) -> Result<()> {
    let stats = Arc::new(Stats::default());
    let router = routes::router(Arc::clone(&stats));
    match listen {
        Listen::Tcp(address) => {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"))?;
            announce(&format!("http://{}", listener.local_addr()?))?;
            loop {
                let Ok((socket, peer)) = listener.accept().await else {
                    continue;
                };
                // Events are small writes: without this Nagle holds the second one back.
                let _ = socket.set_nodelay(true);
                let peer = Peer(peer.to_string());
                tokio::spawn(connection(socket, peer, router.clone(), Arc::clone(&stats)));
            }
        }
        Listen::Unix(path) => {
            if path.exists() {
                std::fs::remove_file(path)
                    .with_context(|| format!("cannot replace {}", path.display()))?;
            }
            let listener = UnixListener::bind(path)
                .with_context(|| format!("cannot listen on {}", path.display()))?;
            announce(&format!("unix:{}", path.display()))?;
            loop {
                let Ok((socket, _)) = listener.accept().await else {
                    continue;
                };
                let peer = Peer("unix".into());
                tokio::spawn(connection(socket, peer, router.clone(), Arc::clone(&stats)));
            }
        }
    }
}

fn announce(address: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {address}")?;
    out.flush()?;
    Ok(())
}

async fn connection<S>(socket: S, peer: Peer, router: Router, stats: Arc<Stats>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _open = stats.connection();
    let service = service_fn(|request: Request<Incoming>| {
        answer(request, peer.clone(), router.clone(), Arc::clone(&stats))
    });
    // An error here is the peer's or one that was asked for (/die): the connection is over either way.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    peer: Peer,
    mut router: Router,
    stats: Arc<Stats>,
) -> Result<Response<Watched>, HangUp> {
    let exchange = Exchange::begin(&request, stats);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    let answered: Result<Response, Infallible> = router.call(request).await;
    let Ok(mut response) = answered;
    match response.extensions_mut().remove::<HangUp>() {
        Some(hang_up) => {
            exchange.finished();
            Err(hang_up)
        }
        None => Ok(exchange.watch(response)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_parses_both_kinds_and_nothing_else() {
        assert_eq!(
            "127.0.0.1:0".parse(),
            Ok(Listen::Tcp(([127, 0, 0, 1], 0).into()))
        );
        assert_eq!(
            "[::1]:8000".parse::<Listen>(),
            Ok(Listen::Tcp("[::1]:8000".parse().expect("an address")))
        );
        assert_eq!(
            "unix:/run/demo.sock".parse(),
            Ok(Listen::Unix("/run/demo.sock".into()))
        );
        for bad in ["", "unix:", "8000", "localhost", "http://127.0.0.1:1"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }
}

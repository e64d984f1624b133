//! The metrics page's server: `GET /metrics`, and nothing else.
//!
//! It runs on the control thread, away from the workers. One request a connection, few connections
//! at once, one deadline for all of it, so a stuck scraper costs nothing but its own page.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};

/// Connections served at once; others wait in the listener's queue.
const CONNECTIONS_MAX: usize = 8;
/// For the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// For a connection from start to end.
const DEADLINE: Duration = Duration::from_secs(15);
/// Bytes of a request head; the least that hyper takes.
const HEAD_MAX: usize = 8192;
/// Pause after a failed accept, which usually means that descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Somebody reads the page: send its text here.
pub type Reader = oneshot::Sender<String>;

/// The page cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics on {addr}: {source}")]
pub struct PageError {
    /// The configured address.
    pub addr: SocketAddr,
    /// What the operating system said.
    pub source: io::Error,
}

/// A listening socket for the page.
#[derive(Debug)]
pub struct Page {
    listener: StdListener,
    head_deadline: Duration,
}

impl Page {
    /// Listens at `addr`.
    pub fn bind(addr: SocketAddr) -> Result<Page, PageError> {
        let listen = || {
            let listener = StdListener::bind(addr)?;
            listener.set_nonblocking(true)?;
            Ok(Page {
                listener,
                head_deadline: HEAD_DEADLINE,
            })
        };
        listen().map_err(|source| PageError { addr, source })
    }

    /// Where it listens; differs from what was asked for when that was port 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the returned future is dropped; every read of the page is sent to `readers`.
    ///
    /// Must be polled inside a tokio runtime; fails only if that has no I/O driver.
    pub async fn serve(self, readers: mpsc::Sender<Reader>) -> io::Result<()> {
        let listener = TcpListener::from_std(self.listener)?;
        let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        // Dropped with this future, and the connections with it.
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let permit = Arc::clone(&free).acquire_owned().await;
            let permit = permit.expect("the semaphore is never closed");
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = connection(stream, readers.clone(), self.head_deadline);
                    connections.spawn(async move {
                        let _ = timeout(DEADLINE, connection).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the metrics page cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    readers: mpsc::Sender<Reader>,
    head_deadline: Duration,
) -> hyper::Result<()> {
    let service = service_fn(|request| {
        let readers = readers.clone();
        async move { Ok::<_, Infallible>(respond(&request, &readers).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_deadline)
        .keep_alive(false)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn respond(
    request: &Request<Incoming>,
    readers: &mpsc::Sender<Reader>,
) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "only GET /metrics is here\n");
    }
    let (reader, text) = oneshot::channel();
    let sent = readers.send(reader).await;
    match text.await {
        Ok(text) if sent.is_ok() => plain(StatusCode::OK, text),
        _ => plain(StatusCode::SERVICE_UNAVAILABLE, "edge is shutting down\n"),
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Runs `test` against a served page whose text is `edge_up 1`.
    fn with_page<F: Future<Output = ()>>(test: impl FnOnce(SocketAddr) -> F) {
        let mut page = Page::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        page.head_deadline = Duration::from_millis(50);
        let addr = page.local_addr().expect("it listens");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let (readers, mut read) = mpsc::channel::<Reader>(1);
            let answer = async {
                while let Some(reader) = read.recv().await {
                    let _ = reader.send("edge_up 1\n".to_owned());
                }
            };
            tokio::select! {
                ended = page.serve(readers) => panic!("the server ended: {ended:?}"),
                () = answer => panic!("the server dropped its queue"),
                () = test(addr) => {}
            }
        });
    }

    async fn send(addr: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.expect("it listens");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it takes the request");
        let mut response = String::new();
        let read = timeout(DEADLINE, stream.read_to_string(&mut response)).await;
        read.expect("it answers and closes")
            .expect("it does not reset");
        response
    }

    #[test]
    fn serves_the_page_and_closes() {
        with_page(|addr| async move {
            let got = send(addr, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
            assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
            assert!(got.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
            assert!(got.ends_with("\r\n\r\nedge_up 1\n"), "{got}");
            let head = send(addr, "HEAD /metrics?x HTTP/1.1\r\nHost: x\r\n\r\n").await;
            assert!(head.contains("content-length: 10\r\n"), "{head}");
            assert!(head.ends_with("\r\n\r\n"), "{head}");
        });
    }

    #[test]
    fn everything_else_is_not_found() {
        with_page(|addr| async move {
            for request in [
                "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n",
                "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi",
                "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
            ] {
                let got = send(addr, request).await;
                assert!(
                    got.starts_with("HTTP/1.1 404 Not Found\r\n"),
                    "{request}: {got}"
                );
            }
        });
    }

    #[test]
    fn silent_connections_end_by_themselves() {
        with_page(|addr| async move {
            let mut silent = Vec::new();
            for _ in 0..2 * CONNECTIONS_MAX {
                silent.push(TcpStream::connect(addr).await.expect("it listens"));
            }
            let got = send(addr, "GET /metrics HTTP/1.0\r\n\r\n").await;
            assert!(got.ends_with("edge_up 1\n"), "{got}");
        });
    }

    #[test]
    fn a_port_in_use_is_named() {
        let first = Page::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let addr = first.local_addr().expect("it listens");
        let error = Page::bind(addr).expect_err("the port is taken");
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("cannot serve metrics on {addr}: ")),
            "{message}"
        );
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    }
}

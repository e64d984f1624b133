//! An HTTP/2 client over TLS, driven from ordinary blocking tests.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;

use super::certs::Authority;
use super::client::{ALPN_H2, tls_config};
use super::response::Response;

/// How long a test waits for something that should take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection. It makes progress only while a method runs.
pub(crate) struct H2 {
    runtime: Runtime,
    send: SendRequest<Bytes>,
}

impl H2 {
    /// Connects to `localhost` at this address; ALPN must settle on `h2`.
    pub(crate) fn connect(address: SocketAddr, authority: &Authority) -> H2 {
        H2::connect_using(
            address,
            "localhost",
            tls_config(&authority.roots(), ALPN_H2),
        )
    }

    /// Connects with a configuration of the test's own.
    pub(crate) fn connect_using(address: SocketAddr, name: &str, config: Arc<ClientConfig>) -> H2 {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let name = ServerName::try_from(name.to_owned()).expect("a valid name");
        let connecting = async {
            let stream = TcpStream::connect(address).await.expect("edge listens");
            stream
                .set_nodelay(true)
                .expect("TCP sockets have TCP_NODELAY");
            let stream = TlsConnector::from(config)
                .connect(name, stream)
                .await
                .expect("the handshake succeeds");
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let (send, connection) = h2::client::handshake(stream)
                .await
                .expect("settings are exchanged");
            // Its errors reach every stream.
            tokio::spawn(async { drop(connection.await) });
            send
        };
        let send = runtime.block_on(async { tokio::time::timeout(PATIENCE, connecting).await });
        H2 {
            runtime,
            send: send.expect("edge answers in time"),
        }
    }

    /// A GET and its whole answer, or why there is none.
    pub(crate) fn get_within(&mut self, path: &str, limit: Duration) -> Result<Response, String> {
        self.exchange(request("GET", path, &[]), None, limit)
    }

    /// GETs all at once; their whole answers in the order of the paths.
    pub(crate) fn all(&mut self, paths: &[&str]) -> Vec<Result<Response, String>> {
        let start = |path: &&str| {
            let (mut send, request) = (self.send.clone(), request("GET", path, &[]));
            self.runtime.spawn(async move {
                send = send.ready().await?;
                let (head, body) = send.send_request(request, true)?.0.await?.into_parts();
                read_all(head, body).await
            })
        };
        let running: Vec<_> = paths.iter().map(start).collect();
        let finishing = async {
            let mut answers = Vec::new();
            for task in running {
                let answer: Result<Response, h2::Error> =
                    task.await.expect("requests do not panic");
                answers.push(answer.map_err(|error| error.to_string()));
            }
            Ok(answers)
        };
        self.bounded(PATIENCE, finishing).expect("answers in time")
    }

    /// A request with a body, and its whole answer.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Response {
        let body = Bytes::copy_from_slice(body);
        self.exchange(request("POST", path, fields), Some(body), PATIENCE)
            .expect("an answer")
    }

    /// Sends a request whole and reads the answer whole.
    pub(crate) fn exchange(
        &mut self,
        request: http::Request<()>,
        body: Option<Bytes>,
        limit: Duration,
    ) -> Result<Response, String> {
        let mut send = self.send.clone();
        self.bounded(limit, async move {
            send = send.ready().await?;
            let (answer, mut stream) = send.send_request(request, body.is_none())?;
            if let Some(body) = body {
                // Who is answered early may be told to stop: the answer counts.
                if send_all(&mut stream, body).await.is_ok() {
                    let _ = stream.send_data(Bytes::new(), true);
                }
            }
            let (head, body) = answer.await?.into_parts();
            read_all(head, body).await
        })
    }

    /// The head of the answer to a GET, whatever follows it.
    pub(crate) fn head_within(&mut self, path: &str, limit: Duration) -> Result<u16, String> {
        let mut send = self.send.clone();
        let request = request("GET", path, &[]);
        self.bounded(limit, async move {
            send = send.ready().await?;
            Ok(send.send_request(request, true)?.0.await?.status().as_u16())
        })
    }

    /// Opens a stream and waits for the head and the first data.
    pub(crate) fn open(&mut self, path: &str) -> RecvStream {
        let mut send = self.send.clone();
        let request = request("GET", path, &[]);
        let opened = self.bounded(PATIENCE, async move {
            send = send.ready().await?;
            let mut body = send.send_request(request, true)?.0.await?.into_body();
            let first = body.data().await.transpose()?.unwrap_or_default();
            body.flow_control().release_capacity(first.len())?;
            Ok(body)
        });
        opened.expect("the stream opens")
    }

    /// Opens a stream and waits for the head alone.
    pub(crate) fn open_unread(&mut self, path: &str) -> RecvStream {
        let mut send = self.send.clone();
        let request = request("GET", path, &[]);
        let opened = self.bounded(PATIENCE, async move {
            send = send.ready().await?;
            Ok(send.send_request(request, true)?.0.await?.into_body())
        });
        opened.expect("the stream opens")
    }

    /// Begins a request and leaves its body open.
    pub(crate) fn begin(&mut self, path: &str) -> SendStream<Bytes> {
        let mut send = self.send.clone();
        let request = request("POST", path, &[]);
        let begun = self.bounded(PATIENCE, async move {
            send = send.ready().await?;
            Ok(send.send_request(request, false)?.1)
        });
        begun.expect("the request is taken")
    }

    /// Sends body bytes until `limit`; how many the peer's windows let pass.
    pub(crate) fn send_for(
        &mut self,
        stream: &mut SendStream<Bytes>,
        total: usize,
        limit: Duration,
    ) -> usize {
        let mut sent = 0;
        let piece = Bytes::from(vec![b'x'; 256 * 1024]);
        let sending = async {
            while sent < total {
                send_all(stream, piece.clone()).await?;
                sent += piece.len();
            }
            Ok::<_, h2::Error>(())
        };
        // Running out of time is what the caller expects of a blocked stream.
        let _ = self
            .runtime
            .block_on(async { tokio::time::timeout(limit, sending).await });
        sent
    }

    /// Reads a stream to its end, clean or not; an error only when it neither ends nor breaks.
    pub(crate) fn drain_within(
        &mut self,
        mut stream: RecvStream,
        limit: Duration,
    ) -> Result<(), String> {
        let draining = async {
            while let Some(Ok(data)) = stream.data().await {
                let _ = stream.flow_control().release_capacity(data.len());
            }
            Ok(())
        };
        self.bounded(limit, draining)
    }

    /// Lets the connection make progress for a while, for example to send a reset.
    pub(crate) fn run_for(&mut self, time: Duration) {
        self.runtime
            .block_on(async { tokio::time::sleep(time).await });
    }

    /// Lets the connection make progress until something is true; fails after `limit`.
    pub(crate) fn run_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) {
        let waiting = async {
            while !ready() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let result = self
            .runtime
            .block_on(async { tokio::time::timeout(limit, waiting).await });
        result.expect("it becomes true in time");
    }

    fn bounded<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, h2::Error>>,
    ) -> Result<T, String> {
        let result = self
            .runtime
            .block_on(async { tokio::time::timeout(limit, work).await });
        result
            .map_err(|_| "timed out".to_owned())?
            .map_err(|error| error.to_string())
    }
}

/// A request for `localhost` with fields.
pub(crate) fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> http::Request<()> {
    let mut request = http::Request::builder()
        .method(method)
        .uri(format!("https://localhost{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).expect("test requests are valid")
}

async fn send_all(stream: &mut SendStream<Bytes>, mut body: Bytes) -> Result<(), h2::Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let window = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
        let Some(window) = window.transpose()? else {
            return Ok(());
        };
        stream.send_data(body.split_to(window.min(body.len())), false)?;
    }
    Ok(())
}

async fn read_all(
    head: http::response::Parts,
    mut body: RecvStream,
) -> Result<Response, h2::Error> {
    let fields = |map: &http::HeaderMap| {
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        map.iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect::<Vec<_>>()
    };
    let headers = fields(&head.headers);
    let mut response = Response {
        status: head.status.as_u16(),
        headers,
        body: Vec::new(),
        trailers: Vec::new(),
    };
    while let Some(data) = body.data().await.transpose()? {
        body.flow_control().release_capacity(data.len())?;
        response.body.extend_from_slice(&data);
    }
    if let Some(trailers) = body.trailers().await? {
        response.trailers = fields(&trailers);
    }
    Ok(response)
}

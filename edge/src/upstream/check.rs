//! One health check: a request on a connection of its own, with blocking calls.

mod multiplexed;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::{Method, Request, StatusCode};
use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use socket2::Socket;

use crate::clock::monotonic_ns;
use crate::config::{Check, UpstreamAddr};
use crate::message::h1::{HeadScan, parse_response};
use crate::message::{ProxyVersion, write_proxy_header};
use crate::tls::Client;

/// A health page's head is short.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEAD_FIELDS_MAX: usize = 100;
const USER_AGENT: &str = "edge-check";

/// Why a server is not well.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("no answer in time")]
    Late,
    #[error("TLS is not prepared")]
    Unprepared,
    #[error("the answer is not HTTP")]
    Malformed,
    #[error("it answered {0}")]
    Status(StatusCode),
}

/// How a server is spoken with.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner<'a> {
    /// Whom to believe, and who it should be.
    pub(super) tls: Option<(&'a Client, &'a ServerName<'static>)>,
    pub(super) http2: bool,
    pub(super) proxy_protocol: Option<ProxyVersion>,
}

/// Asks a server whether it is well.
pub(super) fn ask(
    addr: &UpstreamAddr,
    manner: Manner<'_>,
    check: &Check,
) -> Result<(), CheckError> {
    let deadline = Deadline(monotonic_ns().saturating_add(check.timeout.as_nanos() as u64));
    let host = check
        .host
        .clone()
        .unwrap_or_else(|| match (addr, manner.tls) {
            (_, Some((_, ServerName::DnsName(name)))) => name.as_ref().to_owned(),
            (UpstreamAddr::Tcp(addr), _) => addr.to_string(),
            (UpstreamAddr::Unix(_), _) => "localhost".to_owned(),
        });
    let socket = match addr {
        UpstreamAddr::Tcp(addr) => {
            Socket::from(TcpStream::connect_timeout(addr, deadline.left()?)?)
        }
        UpstreamAddr::Unix(path) => Socket::from(OwnedFd::from(UnixStream::connect(path)?)),
    };
    let mut stream = socket.try_clone()?;
    if let Some(version) = manner.proxy_protocol {
        let mut header = BytesMut::new();
        write_proxy_header(version, None, &mut header);
        deadline.arm(&socket)?;
        stream.write_all(&header).map_err(late)?;
    }
    let question = Question {
        host: &host,
        path: &check.path,
        secure: manner.tls.is_some(),
    };
    let status = match manner.tls {
        None if manner.http2 => over_http2(stream, &socket, &question, &deadline)?,
        None => exchange(&mut stream, &socket, &question, &deadline)?,
        Some((client, name)) => {
            let config = Arc::clone(client.config());
            let connection =
                ClientConnection::new(config, name.clone()).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            match manner.http2 {
                true => over_http2(stream, &socket, &question, &deadline)?,
                false => exchange(&mut stream, &socket, &question, &deadline)?,
            }
        }
    };
    let well = match check.status {
        Some(expected) => status == expected,
        None => status.is_success() || status.is_redirection(),
    };
    match well {
        true => Ok(()),
        false => Err(CheckError::Status(status)),
    }
}

/// What is asked, and of which host.
struct Question<'a> {
    host: &'a str,
    path: &'a str,
    secure: bool,
}

struct Deadline(u64);

impl Deadline {
    fn left(&self) -> Result<Duration, CheckError> {
        match self.0.saturating_sub(monotonic_ns()) {
            0 => Err(CheckError::Late),
            left => Ok(Duration::from_nanos(left)),
        }
    }

    /// Limits the next call.
    fn arm(&self, socket: &Socket) -> Result<(), CheckError> {
        let left = self.left()?;
        socket.set_write_timeout(Some(left))?;
        Ok(socket.set_read_timeout(Some(left))?)
    }
}

fn over_http2<S: Read + Write + Unpin>(
    stream: S,
    socket: &Socket,
    question: &Question<'_>,
    deadline: &Deadline,
) -> Result<StatusCode, CheckError> {
    let scheme = match question.secure {
        true => "https",
        false => "http",
    };
    let request = Request::get(format!("{scheme}://{}{}", question.host, question.path))
        .header(http::header::USER_AGENT, USER_AGENT)
        .body(())
        .map_err(|error| CheckError::Io(io::Error::other(error)))?;
    multiplexed::exchange(stream, socket, request, deadline)
}

/// Sends the request and reads up to the end of the final head.
fn exchange<S: Read + Write>(
    stream: &mut S,
    socket: &Socket,
    question: &Question<'_>,
    deadline: &Deadline,
) -> Result<StatusCode, CheckError> {
    let Question { host, path, .. } = question;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {USER_AGENT}\r\nconnection: close\r\n\r\n",
    );
    deadline.arm(socket)?;
    stream.write_all(request.as_bytes()).map_err(late)?;
    let (mut head, mut chunk) = (Vec::new(), [0; 4096]);
    let mut scan = HeadScan::default();
    loop {
        if let Some(end) = scan.end_of_head(&head).map_err(|_| CheckError::Malformed)? {
            let parsed = parse_response(&head[..end], &Method::GET, HEAD_FIELDS_MAX);
            let status = parsed.map_err(|_| CheckError::Malformed)?.head.status;
            if !status.is_informational() {
                return Ok(status);
            }
            head.drain(..end);
            scan = HeadScan::default();
            continue;
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err(CheckError::Malformed);
        }
        deadline.arm(socket)?;
        match stream.read(&mut chunk).map_err(late)? {
            0 => return Err(CheckError::Malformed),
            n => head.extend_from_slice(&chunk[..n]),
        }
    }
}

/// A socket's own time-out is the deadline.
fn late(error: io::Error) -> CheckError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => CheckError::Late,
        _ => CheckError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What a check says of a server that answers each connection with `answer` and closes.
    fn outcome(answer: &'static str, status: Option<u16>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address");
        let addr = listener.local_addr().expect("it is bound");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a check comes");
            let mut request = [0; 1024];
            let n = stream.read(&mut request).expect("a request");
            stream.write_all(answer.as_bytes()).expect("it listens");
            if answer.is_empty() {
                // Silence until the check has given up.
                let _ = stream.read(&mut request);
            }
            String::from_utf8_lossy(&request[..n]).into_owned()
        });
        let check = Check {
            path: "/health?x".into(),
            host: None,
            status,
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(300),
            healthy: 1,
            unhealthy: 1,
        };
        let outcome = ask(&UpstreamAddr::Tcp(addr), Manner::default(), &check);
        let request = server.join().expect("it does not panic");
        let line = format!("GET /health?x HTTP/1.1\r\nhost: {addr}\r\n");
        assert!(request.starts_with(&line), "{request}");
        match outcome {
            Ok(()) => "well".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn answers_are_judged() {
        for (answer, status, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\nfine", None, "well"),
            ("HTTP/1.0 302 Found\r\n\r\n", None, "well"),
            ("HTTP/1.1 103 X\r\n\r\nHTTP/1.1 204 X\r\n\r\n", None, "well"),
            ("HTTP/1.1 404 X\r\n\r\n", None, "it answered 404 Not Found"),
            ("HTTP/1.1 404 X\r\n\r\n", Some(404), "well"),
            ("HTTP/1.1 200 X\r\n\r\n", Some(204), "it answered 200 OK"),
            ("SSH-2.0-x\r\n\r\n", None, "the answer is not HTTP"),
            ("HTTP/1.1 200 OK\r\n", None, "the answer is not HTTP"),
            ("", None, "no answer in time"),
        ] {
            assert_eq!(outcome(answer, status), expected, "{answer:?}");
        }
    }

    #[test]
    fn nobody_there() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address");
        let addr = listener.local_addr().expect("it is bound");
        drop(listener);
        let check = Check {
            path: "/".into(),
            host: None,
            status: None,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy: 1,
            unhealthy: 1,
        };
        let outcome = ask(&UpstreamAddr::Tcp(addr), Manner::default(), &check);
        assert!(matches!(outcome, Err(CheckError::Io(_))), "{outcome:?}");
    }
}

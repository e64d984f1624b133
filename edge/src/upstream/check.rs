//! One health check: a request on a connection of its own, with blocking calls.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use http::{Method, StatusCode};

use crate::clock::monotonic_ns;
use crate::config::{Check, UpstreamAddr};
use crate::message::h1::{HeadScan, parse_response};
use crate::tls::Client;

/// A health page's head is short.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEAD_FIELDS_MAX: usize = 100;

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

/// Whom to believe, and who it should be.
pub(super) type Secured<'a> = Option<(&'a Client, &'a ServerName<'static>)>;

/// Asks a server whether it is well.
pub(super) fn ask(addr: &UpstreamAddr, tls: Secured<'_>, check: &Check) -> Result<(), CheckError> {
    let deadline = Deadline(monotonic_ns().saturating_add(check.timeout.as_nanos() as u64));
    let host = check.host.clone().unwrap_or_else(|| match (addr, tls) {
        (_, Some((_, ServerName::DnsName(name)))) => name.as_ref().to_owned(),
        (UpstreamAddr::Tcp(addr), _) => addr.to_string(),
        (UpstreamAddr::Unix(_), _) => "localhost".to_owned(),
    });
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {host}\r\nuser-agent: edge-check\r\nconnection: close\r\n\r\n",
        check.path
    );
    let status = match addr {
        UpstreamAddr::Tcp(addr) => {
            let stream = TcpStream::connect_timeout(addr, deadline.left()?)?;
            let arm = |stream: &TcpStream| {
                let left = deadline.left()?;
                stream.set_write_timeout(Some(left))?;
                Ok(stream.set_read_timeout(Some(left))?)
            };
            match tls {
                None => exchange(&mut { stream }, &request, arm)?,
                Some((client, name)) => {
                    let config = Arc::clone(client.config());
                    let connection =
                        ClientConnection::new(config, name.clone()).map_err(io::Error::other)?;
                    let mut stream = StreamOwned::new(connection, stream);
                    exchange(&mut stream, &request, |stream| arm(&stream.sock))?
                }
            }
        }
        UpstreamAddr::Unix(path) => {
            let mut stream = UnixStream::connect(path)?;
            exchange(&mut stream, &request, |stream| {
                let left = deadline.left()?;
                stream.set_write_timeout(Some(left))?;
                Ok(stream.set_read_timeout(Some(left))?)
            })?
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

struct Deadline(u64);

impl Deadline {
    fn left(&self) -> Result<Duration, CheckError> {
        match self.0.saturating_sub(monotonic_ns()) {
            0 => Err(CheckError::Late),
            left => Ok(Duration::from_nanos(left)),
        }
    }
}

/// Sends the request and reads up to the end of the final head. `arm` limits the next call.
fn exchange<S: Read + Write>(
    stream: &mut S,
    request: &str,
    arm: impl Fn(&S) -> Result<(), CheckError>,
) -> Result<StatusCode, CheckError> {
    arm(stream)?;
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
        arm(stream)?;
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
        let outcome = ask(&UpstreamAddr::Tcp(addr), None, &check);
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
        let outcome = ask(&UpstreamAddr::Tcp(addr), None, &check);
        assert!(matches!(outcome, Err(CheckError::Io(_))), "{outcome:?}");
    }
}

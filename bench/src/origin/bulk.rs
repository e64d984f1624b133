//! The upstream of large bodies: a thread for each connection, which blocks. With a hundred KiB in
//! a system call, what a thread costs does not show.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::{Context, Result, bail};

/// Bodies repeat this many bytes: a prime, so that no block of a power of two fits in another's
/// place.
const PERIOD: usize = 65_521;
/// What is moved at a time.
pub(crate) const PATTERN_BYTES: usize = 256 << 10;

/// At least [`PATTERN_BYTES`] of a body that has come to `offset`.
pub(crate) fn pattern(offset: u64) -> &'static [u8] {
    static BYTES: OnceLock<Arc<[u8]>> = OnceLock::new();
    let bytes = BYTES.get_or_init(|| {
        (0..PERIOD + PATTERN_BYTES)
            // Knuth's multiplicative hash: bytes that follow no simple rule.
            .map(|i| {
                ((i % PERIOD) as u32)
                    .wrapping_mul(2_654_435_761)
                    .to_be_bytes()[0]
            })
            .collect()
    });
    &bytes[(offset % PERIOD as u64) as usize..][..PATTERN_BYTES]
}

/// A server of `GET ?bytes=N` and of `POST`, whose body it compares with the pattern.
pub(crate) struct BulkOrigin {
    address: SocketAddr,
}

impl BulkOrigin {
    /// Listens on a free port of the loopback until the process ends. Its threads run where the
    /// calling thread may.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::Builder::new().name("bulk".into()).spawn(move || {
            for socket in listener.incoming().flatten() {
                // An error ends the connection; the client notices.
                thread::spawn(move || serve(socket));
            }
        })?;
        Ok(Self { address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn serve(socket: TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut out = socket.try_clone()?;
    let mut reader = BufReader::with_capacity(PATTERN_BYTES, socket);
    while let Some(head) = Head::read(&mut reader)? {
        match head.download {
            Some(bytes) => {
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\
                     Content-Length: {bytes}\r\n\r\n"
                );
                out.write_all(answer.as_bytes())?;
                send(&mut out, bytes)?;
            }
            None => {
                let intact = receive(&mut reader, head.length)?;
                let answer = format!("{} {intact}", head.length);
                let length = answer.len();
                write!(
                    out,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
                     Content-Length: {length}\r\n\r\n{answer}"
                )?;
            }
        }
    }
    Ok(())
}

/// Writes a body of the pattern.
pub(crate) fn send(out: &mut impl Write, bytes: u64) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes {
        let left = usize::try_from(bytes - sent).unwrap_or(usize::MAX);
        let piece = &pattern(sent)[..left.min(PATTERN_BYTES)];
        out.write_all(piece)?;
        sent += piece.len() as u64;
    }
    Ok(())
}

/// Reads a body; whether it is the pattern.
pub(crate) fn receive(from: &mut impl Read, bytes: u64) -> io::Result<bool> {
    let mut buffer = vec![0; PATTERN_BYTES];
    let (mut received, mut intact) = (0, true);
    while received < bytes {
        let left = usize::try_from(bytes - received).unwrap_or(usize::MAX);
        let count = from.read(&mut buffer[..left.min(PATTERN_BYTES)])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        intact &= buffer[..count] == pattern(received)[..count];
        received += count as u64;
    }
    Ok(intact)
}

/// What is asked for.
struct Head {
    /// Of a GET.
    download: Option<u64>,
    /// Of a POST's body.
    length: u64,
}

impl Head {
    /// The next one; none at the end of the connection.
    fn read(reader: &mut BufReader<TcpStream>) -> Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let download = match line.split_once("?bytes=") {
            Some((_, rest)) if line.starts_with("GET ") => {
                let number = rest.split([' ', '&']).next().unwrap_or_default();
                Some(number.parse().context("not a number of bytes")?)
            }
            _ if line.starts_with("POST ") => None,
            _ => bail!("neither GET ?bytes= nor POST"),
        };
        let mut length = None;
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse()?);
            }
        }
        if download.is_none() && length.is_none() {
            bail!("a body without a length");
        }
        Ok(Some(Self {
            download,
            length: length.unwrap_or(0),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_was_moved_is_not_intact() {
        let mut body = Vec::new();
        send(&mut body, 200_000).expect("memory takes everything");
        assert_eq!(body.len(), 200_000);
        assert!(receive(&mut body.as_slice(), 200_000).expect("whole"));
        body[131_072] ^= 1;
        assert!(!receive(&mut body.as_slice(), 200_000).expect("whole"));
        body[131_072] ^= 1;
        body.rotate_left(65_536);
        assert!(!receive(&mut body.as_slice(), 200_000).expect("whole"));
        assert!(receive(&mut body.as_slice(), 200_001).is_err());
    }
}

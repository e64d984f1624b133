//! Large bodies over one connection of HTTP/1.1, whose client blocks.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::slice::Slice;
use super::tls::SERVER_NAME;
use crate::clock::monotonic_ns;
use crate::measure::check_interrupt;
use crate::origin::{PATTERN_BYTES, receive, send};

/// For the next piece of a body.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which way a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Down,
    Up,
}

/// A connection to a proxy.
pub(crate) struct Bulk {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    host: String,
}

impl Bulk {
    pub(crate) fn connect(address: SocketAddr, tls: &Arc<ClientConfig>) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(SERVER_NAME).expect("the name is valid");
        let mut tls = ClientConnection::new(Arc::clone(tls), name)?;
        // What is sent goes out in pieces of this size.
        tls.set_buffer_limit(Some(PATTERN_BYTES));
        Ok(Self {
            stream: BufReader::with_capacity(PATTERN_BYTES, StreamOwned::new(tls, socket)),
            host: format!("{SERVER_NAME}:{}", address.port()),
        })
    }

    /// Moves a body of `bytes`, and compares it with the pattern where it arrives.
    pub(crate) fn run(&mut self, direction: Direction, bytes: u64) -> Result<Slice> {
        check_interrupt()?;
        let start_ns = monotonic_ns();
        let host = &self.host;
        match direction {
            Direction::Down => {
                let request = format!("GET /?bytes={bytes} HTTP/1.1\r\nhost: {host}\r\n\r\n");
                self.stream.get_mut().write_all(request.as_bytes())?;
                ensure!(self.head()? == bytes, "another length");
                ensure!(
                    receive(&mut self.stream, bytes)?,
                    "other bytes than were sent"
                );
            }
            Direction::Up => {
                let request =
                    format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: {bytes}\r\n\r\n");
                let out = self.stream.get_mut();
                out.write_all(request.as_bytes())?;
                send(out, bytes)?;
                out.flush()?;
                let length = self.head()?;
                ensure!(length < 100, "a larger answer");
                let mut answer = Vec::new();
                self.stream.by_ref().take(length).read_to_end(&mut answer)?;
                check_upload(&answer, bytes)?;
            }
        }
        let mut slice = Slice::default();
        slice.answered(monotonic_ns() - start_ns);
        slice.bytes = bytes;
        slice.wall_ns = monotonic_ns() - start_ns;
        Ok(slice)
    }

    /// Reads the head of an answer; returns the length of the body.
    fn head(&mut self) -> Result<u64> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200 ") {
            bail!("not answered with 200: {:?}", line.trim_end());
        }
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse()?);
            }
        }
        match length {
            Some(length) => Ok(length),
            None => bail!("an answer without a length"),
        }
    }
}

/// What the origin says about a body that it was sent.
pub(super) fn check_upload(answer: &[u8], bytes: u64) -> Result<()> {
    let answer = String::from_utf8_lossy(answer);
    ensure!(
        answer == format!("{bytes} true"),
        "the origin got something else: {answer}"
    );
    Ok(())
}

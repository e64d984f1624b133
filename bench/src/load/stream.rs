//! A connection that holds an event stream open.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use anyhow::Result;
use rustls::ClientConfig;

use super::answer::{RECEIVE_BYTES, check_events};
use super::tls::Tls;

/// An open event stream.
pub(super) struct Stream {
    tls: Tls,
    /// The head until it is whole, then nothing.
    head: Vec<u8>,
    open: bool,
}

impl Stream {
    /// Connects and asks for a stream that is silent after its first event.
    pub(super) fn open(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self> {
        let mut tls = Tls::connect(address, config)?;
        let request = format!(
            "GET /sse?interval_ms=0 HTTP/1.1\r\n\
             Host: localhost:{}\r\n\
             Accept: text/event-stream\r\n\r\n",
            address.port()
        );
        tls.queue(request.as_bytes())?;
        tls.flush()?;
        Ok(Self {
            tls,
            head: Vec::new(),
            open: false,
        })
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.tls.socket()
    }

    /// Reads what has come and returns how many events began in it (comments do not count).
    pub(super) fn ready(&mut self) -> Result<usize> {
        let mut piece = [0; RECEIVE_BYTES];
        let count = self.tls.receive(&mut piece)?;
        let mut received = &piece[..count];
        if !self.open {
            self.head.extend_from_slice(received);
            let Some(head_bytes) = check_events(&self.head)? else {
                return Ok(0);
            };
            let already = self.head.len() - received.len();
            received = &received[head_bytes.saturating_sub(already)..];
            self.head = Vec::new();
            self.open = true;
        }
        // The origin writes an event at once and it is smaller than any record: never torn.
        Ok(received.windows(6).filter(|at| at == b"data: ").count())
    }
}

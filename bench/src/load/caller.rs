//! A connection that calls, waits for the answer, checks it and calls again.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use rustls::ClientConfig;

use super::answer::{RECEIVE_BYTES, check_call, is_last};
use super::call::{self, CALL_BYTES};
use super::tls::{SERVER_NAME, Tls};
use crate::clock::monotonic_ns;
use crate::origin::{ANSWER_BYTES, NONCE_AT, NONCE_BYTES};

/// A connection with one call under way at most.
pub(super) struct Caller {
    tls: Tls,
    request: Vec<u8>,
    nonce: [u8; NONCE_BYTES],
    received: Box<[u8; RECEIVE_BYTES]>,
    filled: usize,
    /// When the call under way was to be sent.
    since_ns: Option<u64>,
}

/// A call that was answered.
pub(super) struct Answered {
    pub(super) latency_ns: u64,
    /// No further call will be answered on this connection.
    pub(super) is_last: bool,
}

impl Caller {
    /// A connection whose handshake is done.
    pub(super) fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self> {
        Ok(Self::over(Tls::connect(address, config)?, address))
    }

    /// A connection whose handshake goes on with the first call.
    pub(super) fn start(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self> {
        Ok(Self::over(Tls::start(address, config)?, address))
    }

    fn over(tls: Tls, address: SocketAddr) -> Self {
        let mut head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {SERVER_NAME}:{}\r\n",
            address.port()
        );
        for (name, value) in call::FIELDS {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "content-length: {CALL_BYTES}\r\n\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(&call::body(&[b'0'; NONCE_BYTES]));
        Self {
            tls,
            request,
            nonce: [0; NONCE_BYTES],
            received: Box::new([0; RECEIVE_BYTES]),
            filled: 0,
            since_ns: None,
        }
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.tls.socket()
    }

    /// Whether a call is under way or prepared.
    pub(super) fn is_waiting(&self) -> bool {
        self.since_ns.is_some()
    }

    /// Whether the handshake went without certificates.
    pub(super) fn is_resumed(&self) -> bool {
        self.tls.is_resumed()
    }

    /// Makes and encrypts the call number `serial`, for [`Caller::flush`] to send; its latency
    /// counts from `since_ns`.
    pub(super) fn prepare(&mut self, serial: u64, since_ns: u64) -> Result<()> {
        self.nonce = call::nonce(serial);
        let nonce_at = self.request.len() - CALL_BYTES + NONCE_AT;
        self.request[nonce_at..nonce_at + NONCE_BYTES].copy_from_slice(&self.nonce);
        self.filled = 0;
        self.since_ns = Some(since_ns);
        self.tls.queue(&self.request)?;
        Ok(())
    }

    /// Sends what there is to send.
    pub(super) fn flush(&mut self) -> Result<()> {
        Ok(self.tls.flush()?)
    }

    /// Reads what has come; once the answer is whole and right, says so.
    pub(super) fn ready(&mut self, body: &[u8; ANSWER_BYTES]) -> Result<Option<Answered>> {
        let room = &mut self.received[self.filled..];
        ensure!(
            !room.is_empty(),
            "an answer larger than {RECEIVE_BYTES} bytes"
        );
        let count = self.tls.receive(room)?;
        if count == 0 {
            // A TLS message without data, such as a session ticket.
            return Ok(None);
        }
        let Some(since_ns) = self.since_ns else {
            bail!("{count} bytes that nobody asked for");
        };
        self.filled += count;
        if !check_call(&self.received[..self.filled], &self.nonce, body)? {
            return Ok(None);
        }
        self.since_ns = None;
        Ok(Some(Answered {
            latency_ns: monotonic_ns().saturating_sub(since_ns),
            is_last: is_last(&self.received[..self.filled]),
        }))
    }

    /// Ends the connection as a polite client does.
    pub(super) fn close(mut self) {
        // Whether the other side still reads it does not matter.
        let _ = self.tls.close();
    }
}

//! A connection that calls, waits for the answer, checks it and calls again.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use anyhow::Result;
use rustls::ClientConfig;

use super::answer::{RECEIVE_BYTES, check_call};
use super::tls::Tls;
use crate::clock::monotonic_ns;
use crate::origin::{ANSWER_BYTES, NONCE_BYTES};

/// Body of a call.
pub(crate) const CALL_BYTES: usize = 200;

/// A keep-alive connection in a closed loop.
pub(super) struct Caller {
    tls: Tls,
    request: Vec<u8>,
    nonce: [u8; NONCE_BYTES],
    /// Makes the nonce: the connection in the upper half, the number of the call in the lower.
    serial: u64,
    received: Box<[u8; RECEIVE_BYTES]>,
    filled: usize,
    /// A call is under way or prepared.
    waiting: bool,
    /// When the call under way was sent, if it has been.
    sent_ns: Option<u64>,
}

impl Caller {
    pub(super) fn connect(
        address: SocketAddr,
        config: &Arc<ClientConfig>,
        index: u32,
    ) -> Result<Self> {
        let mut request = format!(
            "POST /mcp HTTP/1.1\r\n\
             Host: localhost:{}\r\n\
             Accept: application/json, text/event-stream\r\n\
             Content-Type: application/json\r\n\
             MCP-Protocol-Version: 2026-07-28\r\n\
             Content-Length: {CALL_BYTES}\r\n\r\n",
            address.port()
        )
        .into_bytes();
        request.resize(request.len() + CALL_BYTES, b'q');
        Ok(Self {
            tls: Tls::connect(address, config)?,
            request,
            nonce: [0; NONCE_BYTES],
            serial: u64::from(index) << 32,
            received: Box::new([0; RECEIVE_BYTES]),
            filled: 0,
            waiting: false,
            sent_ns: None,
        })
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.tls.socket()
    }

    /// Whether a call is under way or prepared.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Makes and encrypts the next call, for [`Caller::flush`] to send.
    pub(super) fn prepare(&mut self) -> Result<()> {
        self.serial += 1;
        // Hexadecimal, because a body that is text is what the proxies would see.
        for (i, digit) in self.nonce.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(self.serial >> (60 - 4 * i)) as usize & 15];
        }
        let nonce_at = self.request.len() - NONCE_BYTES;
        self.request[nonce_at..].copy_from_slice(&self.nonce);
        self.filled = 0;
        self.waiting = true;
        self.tls.queue(&self.request)?;
        Ok(())
    }

    /// Sends the call that was prepared, if one was.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.waiting && self.sent_ns.is_none() {
            self.sent_ns = Some(monotonic_ns());
            self.tls.flush()?;
        }
        Ok(())
    }

    /// Reads what has come; once the answer is whole and right, returns its latency in nanoseconds.
    pub(super) fn ready(&mut self, body: &[u8; ANSWER_BYTES]) -> Result<Option<u64>> {
        let room = &mut self.received[self.filled..];
        anyhow::ensure!(
            !room.is_empty(),
            "an answer larger than {RECEIVE_BYTES} bytes"
        );
        let count = self.tls.receive(room)?;
        if count == 0 {
            // A TLS message without data, such as a session ticket.
            return Ok(None);
        }
        let Some(sent_ns) = self.sent_ns else {
            anyhow::bail!("{count} bytes that nobody asked for");
        };
        self.filled += count;
        if !check_call(&self.received[..self.filled], &self.nonce, body)? {
            return Ok(None);
        }
        self.sent_ns = None;
        self.waiting = false;
        Ok(Some(monotonic_ns() - sent_ns))
    }
}

//! A connection that calls, waits for answers, checks them and calls again.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use anyhow::Result;
use rustls::ClientConfig;

use super::speech::{Language, Speech};
use super::tls::{SERVER_NAME, Tls, WIRE_BYTES};
use crate::origin::ANSWER_BYTES;

/// A connection.
pub(super) struct Caller {
    tls: Tls,
    speech: Box<dyn Speech>,
    /// What is to be said, for [`Caller::flush`] to encrypt and send as one.
    out: Vec<u8>,
}

/// What all connections of a thread use in turn.
pub(super) struct Scratch {
    pub(super) wire: Vec<u8>,
    /// When the calls were to be made whose answers have come.
    pub(super) done: Vec<u64>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            wire: vec![0; WIRE_BYTES],
            done: Vec::new(),
        }
    }
}

/// What a server on this port is called.
pub(super) fn authority(address: SocketAddr) -> String {
    format!("{SERVER_NAME}:{}", address.port())
}

impl Caller {
    /// A connection whose handshake is done; what opens it is on its way.
    pub(super) fn connect(
        address: SocketAddr,
        config: &Arc<ClientConfig>,
        language: Language,
    ) -> Result<Self> {
        let mut caller = Self::over(Tls::connect(address, config)?, address, language);
        caller.flush()?;
        caller.tls.do_not_wait()?;
        Ok(caller)
    }

    /// A connection whose handshake goes on with the first call.
    pub(super) fn start(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self> {
        let tls = Tls::start(address, config)?;
        Ok(Self::over(tls, address, Language::Http1))
    }

    fn over(tls: Tls, address: SocketAddr, language: Language) -> Self {
        let mut speech = language.speak(&authority(address));
        let mut out = Vec::new();
        speech.open(&mut out);
        Self { tls, speech, out }
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.tls.socket()
    }

    /// Whether calls can be made on it.
    pub(super) fn is_open(&self) -> bool {
        self.speech.is_open()
    }

    /// Calls that are under way or prepared.
    pub(super) fn under_way(&self) -> usize {
        self.speech.under_way()
    }

    /// No further call will be answered on this connection.
    pub(super) fn is_last(&self) -> bool {
        self.speech.is_last()
    }

    /// Whether the handshake went without certificates.
    pub(super) fn is_resumed(&self) -> bool {
        self.tls.is_resumed()
    }

    /// Makes the call number `serial`, for [`Caller::flush`] to send; its latency counts from
    /// `since_ns`.
    pub(super) fn prepare(&mut self, serial: u64, since_ns: u64) -> Result<()> {
        self.speech.call(serial, since_ns, &mut self.out)
    }

    /// Sends what there is to send.
    pub(super) fn flush(&mut self) -> Result<()> {
        if !self.out.is_empty() {
            self.tls.queue(&self.out)?;
            self.out.clear();
        }
        Ok(self.tls.flush()?)
    }

    /// Reads what has come; `scratch.done` gets the calls whose answers are whole and right.
    pub(super) fn ready(&mut self, body: &[u8; ANSWER_BYTES], scratch: &mut Scratch) -> Result<()> {
        let Self { tls, speech, out } = self;
        let done = &mut scratch.done;
        tls.receive(&mut scratch.wire, |plain| {
            speech.read(plain, body, done, out)
        })
    }

    /// Ends the connection as a polite client does.
    pub(super) fn close(mut self) {
        // Whether the other side still reads it does not matter.
        let _ = self.tls.close();
    }
}

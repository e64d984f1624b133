//! Calls as requests of HTTP/1.1, one after the other.

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};

use super::Speech;
use crate::load::answer::{RECEIVE_BYTES, check_call, is_last};
use crate::load::call::{self, CALL_BYTES};
use crate::origin::{ANSWER_BYTES, NONCE_AT, NONCE_BYTES};

/// A connection's state.
pub(super) struct Http1 {
    request: Vec<u8>,
    nonce: [u8; NONCE_BYTES],
    /// The beginning of an answer that has not come whole.
    partial: Vec<u8>,
    /// When the call under way was to be made.
    since_ns: Option<u64>,
    is_last: bool,
}

/// A whole call with an id of zeros.
pub(crate) fn request(authority: &str) -> Vec<u8> {
    let mut head = format!("POST /mcp HTTP/1.1\r\nhost: {authority}\r\n");
    for (name, value) in call::FIELDS {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "content-length: {CALL_BYTES}\r\n\r\n");
    let mut request = head.into_bytes();
    request.extend_from_slice(&call::body(&[b'0'; NONCE_BYTES]));
    request
}

/// Gives a request its id.
pub(crate) fn name(request: &mut [u8], nonce: &[u8; NONCE_BYTES]) {
    let at = request.len() - CALL_BYTES + NONCE_AT;
    request[at..at + NONCE_BYTES].copy_from_slice(nonce);
}

impl Http1 {
    pub(super) fn new(authority: &str) -> Self {
        Self {
            request: request(authority),
            nonce: [0; NONCE_BYTES],
            partial: Vec::new(),
            since_ns: None,
            is_last: false,
        }
    }
}

impl Speech for Http1 {
    fn open(&mut self, _: &mut Vec<u8>) {}

    fn is_open(&self) -> bool {
        true
    }

    fn call(&mut self, serial: u64, since_ns: u64, out: &mut Vec<u8>) -> Result<()> {
        self.nonce = call::nonce(serial);
        name(&mut self.request, &self.nonce);
        self.since_ns = Some(since_ns);
        out.extend_from_slice(&self.request);
        Ok(())
    }

    fn read(
        &mut self,
        bytes: &[u8],
        body: &[u8; ANSWER_BYTES],
        done: &mut Vec<u64>,
        _: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(since_ns) = self.since_ns else {
            bail!("{} bytes that nobody asked for", bytes.len());
        };
        let answer = match self.partial.is_empty() {
            true => bytes,
            false => {
                self.partial.extend_from_slice(bytes);
                &self.partial
            }
        };
        ensure!(
            answer.len() <= RECEIVE_BYTES,
            "an answer larger than {RECEIVE_BYTES} bytes"
        );
        if check_call(answer, &self.nonce, body)? {
            self.is_last = is_last(answer);
            self.since_ns = None;
            self.partial.clear();
            done.push(since_ns);
        } else if self.partial.is_empty() {
            self.partial.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn under_way(&self) -> usize {
        usize::from(self.since_ns.is_some())
    }

    fn is_last(&self) -> bool {
        self.is_last
    }
}

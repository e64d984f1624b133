//! Calls as requests of HTTP/1.1, one after the other.

use std::fmt::Write as _;

use anyhow::Result;

use super::Speech;
use super::single::Single;
use crate::load::answer::{check_call, is_last};
use crate::load::call::{self, CALL_BYTES};
use crate::origin::{ANSWER_BYTES, NONCE_AT, NONCE_BYTES};

/// A connection's state.
pub(super) struct Http1 {
    request: Vec<u8>,
    call: Single,
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
            call: Single::default(),
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
        name(&mut self.request, self.call.begin(serial, since_ns));
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
        let ends = &mut self.is_last;
        self.call.read(bytes, done, |answer, nonce| {
            let whole = check_call(answer, nonce, body)?;
            *ends |= whole && is_last(answer);
            Ok(whole)
        })
    }

    fn under_way(&self) -> usize {
        self.call.under_way()
    }

    fn is_last(&self) -> bool {
        self.is_last
    }
}

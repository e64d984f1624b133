//! Calls as messages of a WebSocket (RFC 6455), each answered by one.

use anyhow::{Result, ensure};

use super::Speech;
use super::single::Single;
use crate::load::answer::{RECEIVE_BYTES, check_upgrade, is_answer};
use crate::load::call::{self, CALL_BYTES};
use crate::origin::{ANSWER_BYTES, NONCE_BYTES, accept_of};

/// FIN and text.
const TEXT: u8 = 0x81;
/// A length of two bytes follows.
const LENGTH_16: u8 = 126;
const MASKED: u8 = 0x80;
/// In front of an answer: never masked, and of one size.
const ANSWER_HEAD: [u8; 4] = [
    TEXT,
    LENGTH_16,
    (ANSWER_BYTES >> 8) as u8,
    ANSWER_BYTES as u8,
];
/// Any sixteen bytes would do, in base64.
const KEY: &str = "ZWRnZSBiZW5jaCBrZXkhIQ==";

/// A connection's state.
pub(super) struct WebSocket {
    opening: String,
    /// What has come of the agreement to it.
    agreement: Vec<u8>,
    open: bool,
    call: Single,
}

impl WebSocket {
    pub(super) fn new(authority: &str) -> Self {
        Self {
            opening: format!(
                "GET /ws HTTP/1.1\r\nhost: {authority}\r\nconnection: upgrade\r\n\
                 upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n"
            ),
            agreement: Vec::new(),
            open: false,
            call: Single::default(),
        }
    }
}

/// Whether these bytes are the whole answer to the call with this id.
fn check_message(
    bytes: &[u8],
    nonce: &[u8; NONCE_BYTES],
    body: &[u8; ANSWER_BYTES],
) -> Result<bool> {
    let length = bytes.len().min(ANSWER_HEAD.len());
    ensure!(
        bytes[..length] == ANSWER_HEAD[..length],
        "a frame that is no answer: {:02x?}",
        &bytes[..length]
    );
    let whole = ANSWER_HEAD.len() + ANSWER_BYTES;
    ensure!(bytes.len() <= whole, "more bytes than one answer");
    if bytes.len() < whole {
        return Ok(false);
    }
    ensure!(
        is_answer(&bytes[ANSWER_HEAD.len()..], nonce, body),
        "the message is not the one that belongs to this call"
    );
    Ok(true)
}

/// A message as a client sends it (RFC 6455 §5.2 and §5.3).
fn message(body: &[u8; CALL_BYTES], mask: [u8; 4], out: &mut Vec<u8>) {
    out.extend_from_slice(&[TEXT, MASKED | LENGTH_16]);
    out.extend_from_slice(&(CALL_BYTES as u16).to_be_bytes());
    out.extend_from_slice(&mask);
    out.extend(body.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
}

impl Speech for WebSocket {
    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.opening.as_bytes());
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn call(&mut self, serial: u64, since_ns: u64, out: &mut Vec<u8>) -> Result<()> {
        let nonce = self.call.begin(serial, since_ns);
        // Another for each message, as it has to be; that it cannot be guessed is of no use here.
        let mask = (serial as u32).wrapping_mul(0x9e37_79b1).to_be_bytes();
        message(&call::body(nonce), mask, out);
        Ok(())
    }

    fn read(
        &mut self,
        bytes: &[u8],
        body: &[u8; ANSWER_BYTES],
        done: &mut Vec<u64>,
        _: &mut Vec<u8>,
    ) -> Result<()> {
        if self.open {
            return self.call.read(bytes, done, |answer, nonce| {
                check_message(answer, nonce, body)
            });
        }
        self.agreement.extend_from_slice(bytes);
        ensure!(
            self.agreement.len() <= RECEIVE_BYTES,
            "an agreement larger than {RECEIVE_BYTES} bytes"
        );
        let accept = accept_of(KEY.as_bytes());
        if let Some(head_bytes) = check_upgrade(&self.agreement, accept.as_bytes())? {
            ensure!(head_bytes == self.agreement.len(), "bytes before any call");
            self.agreement = Vec::new();
            self.open = true;
        }
        Ok(())
    }

    fn under_way(&self) -> usize {
        self.call.under_way()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::{NONCE_AT, answer_body};

    fn opened() -> WebSocket {
        let mut speech = WebSocket::new("localhost:1");
        let accept = accept_of(KEY.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        let mut nothing = Vec::new();
        for piece in head.as_bytes().chunks(7) {
            let read = speech.read(piece, &answer_body(), &mut Vec::new(), &mut nothing);
            read.expect("a good head");
        }
        assert!(speech.is_open() && nothing.is_empty());
        speech
    }

    #[test]
    fn a_message_is_answered_by_the_one_that_belongs_to_it() {
        let mut speech = opened();
        let (mut out, mut done) = (Vec::new(), Vec::new());
        speech.call(0x17, 5, &mut out).expect("a call");
        assert_eq!((&out[..4], out.len()), (&[0x81, 0xfe, 0, 200][..], 208));
        let unmasked: Vec<u8> = (8..208).map(|i| out[i] ^ out[4 + (i - 8) % 4]).collect();
        assert_eq!(unmasked, call::body(&call::nonce(0x17)));
        let mut body = answer_body();
        body[NONCE_AT..NONCE_AT + NONCE_BYTES].copy_from_slice(&call::nonce(0x17));
        let answer = [&ANSWER_HEAD[..], &body].concat();
        for piece in answer.chunks(1000) {
            assert!(done.is_empty());
            let read = speech.read(piece, &answer_body(), &mut done, &mut out);
            read.expect("the answer");
        }
        assert_eq!((done, speech.under_way()), (vec![5], 0));
        speech.call(0x18, 6, &mut out).expect("another");
        let crossed = speech.read(&answer, &answer_body(), &mut Vec::new(), &mut out);
        assert!(crossed.is_err(), "the answer to another call");
    }

    #[test]
    fn who_does_not_agree_or_says_other_things_is_noticed() {
        let mut speech = WebSocket::new("localhost:1");
        let mut read =
            |bytes: &[u8]| speech.read(bytes, &answer_body(), &mut Vec::new(), &mut Vec::new());
        assert!(read(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        let mut speech = opened();
        speech.call(1, 1, &mut Vec::new()).expect("a call");
        let mut read =
            |bytes: &[u8]| speech.read(bytes, &answer_body(), &mut Vec::new(), &mut Vec::new());
        assert!(read(&[0x88, 0]).is_err(), "a close");
    }
}

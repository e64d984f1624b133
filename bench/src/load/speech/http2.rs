//! Calls as streams of HTTP/2, several at a time on a connection.
//!
//! Written here and not taken from a library, because a generator must cost less than what it loads:
//! the request is made once, and an answer is compared where it was decrypted.

use std::collections::VecDeque;

use anyhow::{Result, bail, ensure};

use super::Speech;
use super::frames::{
    self, ACK, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, Name, PING, RST_STREAM,
    SETTING_PUSH, SETTING_STREAMS, SETTING_TABLE, SETTING_WINDOW, SETTINGS, WINDOW_UPDATE,
};
use crate::load::answer::is_answer;
use crate::load::call::{self, CALL_BYTES};
use crate::origin::{ANSWER_BYTES, NONCE_BYTES};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Windows so large that they never stop an answer; the connection's is renewed at half.
const WINDOW: u32 = 1 << 30;
/// The windows that everybody begins with (RFC 9113 §6.9.2).
const WINDOW_AT_FIRST: i64 = 65_535;
/// Of the other side's table of fields: more than the request takes.
const TABLE_MIN: u32 = 1024;

/// A connection's state.
pub(super) struct Http2 {
    authority: String,
    /// The fields of the next request, and of those after it; known with the server's settings.
    blocks: Option<(Vec<u8>, Vec<u8>)>,
    next_stream: u32,
    calls: Vec<Call>,
    /// Calls that the server's window has no room for.
    held: VecDeque<(u64, u64)>,
    /// What may still be sent.
    window: i64,
    /// What has come since the window of the other side was renewed.
    received: u32,
    partial: Vec<u8>,
    is_last: bool,
}

/// A stream.
struct Call {
    stream: u32,
    nonce: [u8; NONCE_BYTES],
    since_ns: u64,
    /// Of the answer, where it did not come in one frame.
    body: Vec<u8>,
    is_ok: bool,
    is_answered: bool,
}

impl Http2 {
    pub(super) fn new(authority: &str) -> Self {
        Self {
            authority: authority.to_owned(),
            blocks: None,
            next_stream: 1,
            calls: Vec::new(),
            held: VecDeque::new(),
            window: WINDOW_AT_FIRST,
            received: 0,
            partial: Vec::new(),
            is_last: false,
        }
    }

    fn send(&mut self, serial: u64, since_ns: u64, out: &mut Vec<u8>) -> Result<()> {
        let Some((next, later)) = &mut self.blocks else {
            bail!("a call before the server's settings");
        };
        let stream = self.next_stream;
        ensure!(stream < 1 << 31, "no more streams on this connection");
        self.next_stream += 2;
        let nonce = call::nonce(serial);
        frames::write(out, HEADERS, END_HEADERS, stream, next);
        if next != later {
            next.clone_from(later);
        }
        frames::write(out, DATA, END_STREAM, stream, &call::body(&nonce));
        self.window -= CALL_BYTES as i64;
        self.calls.push(Call {
            stream,
            nonce,
            since_ns,
            body: Vec::new(),
            is_ok: false,
            is_answered: false,
        });
        Ok(())
    }

    fn frame(
        &mut self,
        frame: &Frame<'_>,
        body: &[u8; ANSWER_BYTES],
        done: &mut Vec<u64>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match frame.kind {
            DATA | HEADERS => {
                let at = self
                    .calls
                    .iter()
                    .position(|call| call.stream == frame.stream);
                let Some(at) = at else {
                    bail!("a frame for stream {}", frame.stream);
                };
                let call = &mut self.calls[at];
                match frame.kind {
                    DATA => {
                        call.take(frame.content()?, body)?;
                        self.received += frame.payload.len() as u32;
                    }
                    _ => call.head(frame)?,
                }
                if frame.flags & END_STREAM != 0 {
                    let call = self.calls.swap_remove(at);
                    ensure!(call.is_answered, "an answer that is too short");
                    done.push(call.since_ns);
                }
                if self.received > WINDOW / 2 {
                    let renewed = self.received.to_be_bytes();
                    frames::write(out, WINDOW_UPDATE, 0, 0, &renewed);
                    self.received = 0;
                }
            }
            SETTINGS if frame.flags & ACK == 0 => {
                self.settings(frame)?;
                frames::write(out, SETTINGS, ACK, 0, &[]);
            }
            PING if frame.flags & ACK == 0 => frames::write(out, PING, ACK, 0, frame.payload),
            WINDOW_UPDATE if frame.stream == 0 => {
                self.window += i64::from(frame.number(0).unwrap_or(0) & 0x7fff_ffff);
                while self.window >= CALL_BYTES as i64
                    && let Some((serial, since_ns)) = self.held.pop_front()
                {
                    self.send(serial, since_ns, out)?;
                }
            }
            RST_STREAM => bail!("a stream was reset: {:?}", frame.number(0)),
            GOAWAY if frame.number(4) == Some(0) => self.is_last = true,
            GOAWAY => bail!("the server goes away: {:?}", frame.number(4)),
            _ => {}
        }
        Ok(())
    }

    fn settings(&mut self, frame: &Frame<'_>) -> Result<()> {
        let mut table = true;
        for (setting, value) in frame.settings() {
            match setting {
                SETTING_TABLE => table = value >= TABLE_MIN,
                SETTING_WINDOW => ensure!(value >= CALL_BYTES as u32, "a window of {value} bytes"),
                SETTING_STREAMS => ensure!(value > 0, "the server allows no stream"),
                _ => {}
            }
        }
        // What the first say holds: later ones come from servers that change their minds.
        if self.blocks.is_none() {
            let length = CALL_BYTES.to_string();
            // Entries of the static table (RFC 7541, appendix A).
            let mut fields = vec![
                (Name::Entry(1), &*self.authority),
                (Name::Entry(4), "/mcp"),
                (Name::Entry(28), &length),
            ];
            let named = call::FIELDS.iter();
            fields.extend(named.map(|&(name, value)| (Name::Text(name), value)));
            self.blocks = Some(frames::request(&fields, table));
        }
        Ok(())
    }
}

impl Call {
    fn head(&mut self, frame: &Frame<'_>) -> Result<()> {
        ensure!(
            frame.flags & END_HEADERS != 0,
            "a head in more than one frame"
        );
        // Trailers come after the body, and say nothing.
        if !self.is_ok {
            ensure!(frames::is_ok(frame.content()?), "the status is not 200");
            self.is_ok = true;
        }
        Ok(())
    }

    fn take(&mut self, piece: &[u8], body: &[u8; ANSWER_BYTES]) -> Result<()> {
        ensure!(self.is_ok, "a body before its head");
        if piece.is_empty() {
            return Ok(());
        }
        ensure!(
            !self.is_answered && self.body.len() + piece.len() <= ANSWER_BYTES,
            "a larger answer"
        );
        let answer = match self.body.is_empty() && piece.len() == ANSWER_BYTES {
            true => piece,
            false => {
                self.body.extend_from_slice(piece);
                &self.body
            }
        };
        if answer.len() == ANSWER_BYTES {
            ensure!(
                is_answer(answer, &self.nonce, body),
                "the body is not the one that belongs to this request"
            );
            self.is_answered = true;
        }
        Ok(())
    }
}

impl Speech for Http2 {
    fn open(&mut self, out: &mut Vec<u8>) {
        let mut settings = Vec::new();
        for (setting, value) in [
            (SETTING_TABLE, 0),
            (SETTING_PUSH, 0),
            (SETTING_WINDOW, WINDOW),
        ] {
            settings.extend_from_slice(&setting.to_be_bytes());
            settings.extend_from_slice(&value.to_be_bytes());
        }
        out.extend_from_slice(PREFACE);
        frames::write(out, SETTINGS, 0, 0, &settings);
        let more = WINDOW - WINDOW_AT_FIRST as u32;
        frames::write(out, WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
    }

    fn is_open(&self) -> bool {
        self.blocks.is_some()
    }

    fn call(&mut self, serial: u64, since_ns: u64, out: &mut Vec<u8>) -> Result<()> {
        if self.window < CALL_BYTES as i64 {
            self.held.push_back((serial, since_ns));
            return Ok(());
        }
        self.send(serial, since_ns, out)
    }

    fn read(
        &mut self,
        bytes: &[u8],
        body: &[u8; ANSWER_BYTES],
        done: &mut Vec<u64>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let mut joined = std::mem::take(&mut self.partial);
        let mut rest = match joined.is_empty() {
            true => bytes,
            false => {
                joined.extend_from_slice(bytes);
                &joined
            }
        };
        while let Some((frame, length)) = frames::parse(rest)? {
            self.frame(&frame, body, done, out)?;
            rest = &rest[length..];
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    fn under_way(&self) -> usize {
        self.calls.len() + self.held.len()
    }

    fn is_last(&self) -> bool {
        self.is_last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::{NONCE_AT, answer_body};

    fn opened() -> (Http2, Vec<u8>) {
        let mut speech = Http2::new("localhost:1");
        let mut out = Vec::new();
        speech.open(&mut out);
        assert!(out.starts_with(PREFACE) && !speech.is_open());
        let mut settings = Vec::new();
        frames::write(&mut settings, SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]);
        out.clear();
        let read = speech.read(&settings, &answer_body(), &mut Vec::new(), &mut out);
        read.expect("settings");
        assert!(speech.is_open());
        assert_eq!(out, [0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0]);
        (speech, Vec::new())
    }

    fn answer(stream: u32, serial: u64, pieces: usize) -> Vec<u8> {
        let mut body = answer_body();
        body[NONCE_AT..NONCE_AT + NONCE_BYTES].copy_from_slice(&call::nonce(serial));
        let mut out = Vec::new();
        frames::write(&mut out, HEADERS, END_HEADERS, stream, &[0x88]);
        for piece in body.chunks(ANSWER_BYTES.div_ceil(pieces)) {
            frames::write(&mut out, DATA, 0, stream, piece);
        }
        frames::write(&mut out, DATA, END_STREAM, stream, &[]);
        out
    }

    #[test]
    fn answers_come_in_any_order_and_in_pieces() {
        let (mut speech, mut out) = opened();
        for serial in 1..=3 {
            speech.call(serial, serial * 10, &mut out).expect("a call");
        }
        let mut done = Vec::new();
        let bytes = [answer(5, 3, 1), answer(1, 1, 3), answer(3, 2, 1)].concat();
        for piece in bytes.chunks(100) {
            let read = speech.read(piece, &answer_body(), &mut done, &mut out);
            read.expect("answers");
        }
        assert_eq!((done, speech.under_way()), (vec![30, 10, 20], 0));
    }

    #[test]
    fn an_answer_to_another_call_is_noticed() {
        for wrong in [
            answer(1, 8, 1),
            answer(3, 7, 1),
            answer(1, 7, 1)[..40].to_vec(),
        ] {
            let (mut speech, mut out) = opened();
            speech.call(7, 1, &mut out).expect("a call");
            let mut bytes = wrong;
            if bytes.len() == 40 {
                bytes.truncate(10);
                frames::write(&mut bytes, DATA, END_STREAM, 1, b"short");
            }
            let read = speech.read(&bytes, &answer_body(), &mut Vec::new(), &mut out);
            assert!(read.is_err());
        }
    }

    #[test]
    fn calls_wait_for_the_window_and_the_server_is_obeyed() {
        let (mut speech, mut out) = opened();
        for serial in 0..328 {
            speech.call(serial, 1, &mut out).expect("a call");
        }
        assert_eq!((speech.calls.len(), speech.held.len()), (327, 1));
        let mut bytes = Vec::new();
        frames::write(&mut bytes, WINDOW_UPDATE, 0, 0, &400_u32.to_be_bytes());
        frames::write(&mut bytes, PING, 0, 0, b"12345678");
        out.clear();
        let read = speech.read(&bytes, &answer_body(), &mut Vec::new(), &mut out);
        read.expect("both are obeyed");
        assert_eq!(speech.held.len(), 0);
        assert!(out.ends_with(b"12345678"));
        let mut bytes = Vec::new();
        frames::write(&mut bytes, GOAWAY, 0, 0, &[0; 8]);
        let read = speech.read(&bytes, &answer_body(), &mut Vec::new(), &mut out);
        read.expect("a graceful one");
        assert!(speech.is_last());
    }
}

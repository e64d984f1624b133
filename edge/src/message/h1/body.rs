//! Body framing on the way in (RFC 9112 §6, §7).

use bytes::{Buf as _, Bytes, BytesMut};

use super::lines::HeadScan;
use crate::message::trailer::may_trail;
use crate::message::{BodyLength, Fields, Name};

/// Bytes of chunk extensions tolerated in one body: they carry no meaning here, so a peer that
/// sends many only wants to keep the parser busy.
const EXTENSION_BYTES_MAX: usize = 4096;
/// Digits of a chunk size: 2^60 bytes are enough for anyone.
const SIZE_DIGITS_MAX: u8 = 15;

/// Splits the bytes of a connection into the content of one body.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    extension_bytes: usize,
    trailer_bytes_max: usize,
}

#[derive(Debug)]
enum State {
    Exact(u64),
    UntilClose,
    Size { value: u64, digits: u8 },
    BeforeExtension(u64),
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    AfterLast,
    EndLf,
    Trailers(HeadScan),
    Ended,
}

/// What one step of decoding found.
#[derive(Debug)]
pub enum Decoded {
    /// Content, as long as the buffer has it contiguously.
    Data(Bytes),
    /// The body ended with a trailer section.
    Trailers(Fields),
    /// The body has ended; what is left in the buffer is the next message.
    End,
    /// The buffer is used up.
    More,
}

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not a chunk size of at most 15 hexadecimal digits.
    #[error("invalid chunk size")]
    ChunkSize,
    /// Too much of it, or a control character in it.
    #[error("invalid chunk extension")]
    ChunkExtension,
    /// A chunk or its size does not end in CRLF.
    #[error("chunk does not end in CRLF")]
    ChunkEnd,
    /// The trailer section does not follow the grammar, is too large, or names a framing field.
    #[error("invalid trailer section")]
    Trailers,
    /// The connection ended inside the body.
    #[error("connection closed inside a body")]
    Truncated,
}

impl BodyDecoder {
    /// A decoder for one body.
    pub fn new(length: BodyLength, trailer_bytes_max: usize) -> BodyDecoder {
        let state = match length {
            BodyLength::Empty => State::Ended,
            BodyLength::Exact(n) => State::Exact(n),
            BodyLength::Framed => State::Size {
                value: 0,
                digits: 0,
            },
            BodyLength::UntilClose => State::UntilClose,
        };
        BodyDecoder {
            state,
            extension_bytes: 0,
            trailer_bytes_max,
        }
    }

    /// Whether the whole body has been decoded.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The connection ended: fine only where that is how the body ends.
    pub fn end_of_input(&mut self) -> Result<(), BodyError> {
        match self.state {
            State::UntilClose | State::Ended => {
                self.state = State::Ended;
                Ok(())
            }
            _ => Err(BodyError::Truncated),
        }
    }

    /// Takes the next piece off the front of `buf`.
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Decoded, BodyError> {
        loop {
            match &mut self.state {
                State::Ended => return Ok(Decoded::End),
                _ if buf.is_empty() => return Ok(Decoded::More),
                State::UntilClose => return Ok(Decoded::Data(std::mem::take(buf).freeze())),
                State::Exact(left) => {
                    let data = take(left, buf);
                    if *left == 0 {
                        self.state = State::Ended;
                    }
                    return Ok(Decoded::Data(data));
                }
                State::Data(left) => {
                    let data = take(left, buf);
                    if *left == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Decoded::Data(data));
                }
                State::Trailers(scan) => {
                    let end = scan.end_of_head(buf).map_err(|_| BodyError::Trailers)?;
                    if end.unwrap_or(buf.len()) > self.trailer_bytes_max {
                        return Err(BodyError::Trailers);
                    }
                    let Some(end) = end else {
                        return Ok(Decoded::More);
                    };
                    let section = buf.split_to(end);
                    self.state = State::Ended;
                    return parse_trailers(&section).map(Decoded::Trailers);
                }
                _ => self.step(buf)?,
            }
        }
    }

    /// One byte of chunk framing.
    fn step(&mut self, buf: &mut BytesMut) -> Result<(), BodyError> {
        let b = buf[0];
        self.state = match self.state {
            State::Size { value, digits } => match ((b as char).to_digit(16), b) {
                (Some(digit), _) if digits < SIZE_DIGITS_MAX => State::Size {
                    value: value * 16 + u64::from(digit),
                    digits: digits + 1,
                },
                (None, b'\r') if digits > 0 => State::SizeLf(value),
                (None, b';') if digits > 0 => State::Extension(value),
                (None, b' ' | b'\t') if digits > 0 => State::BeforeExtension(value),
                _ => return Err(BodyError::ChunkSize),
            },
            State::BeforeExtension(size) => match b {
                b' ' | b'\t' => State::BeforeExtension(size),
                b';' => State::Extension(size),
                _ => return Err(BodyError::ChunkSize),
            },
            State::Extension(size) => match b {
                b'\r' => State::SizeLf(size),
                b'\t' | 0x20..=0x7e | 0x80.. => State::Extension(size),
                _ => return Err(BodyError::ChunkExtension),
            },
            State::SizeLf(0) if b == b'\n' => State::AfterLast,
            State::SizeLf(size) if b == b'\n' => State::Data(size),
            State::DataCr if b == b'\r' => State::DataLf,
            State::DataLf if b == b'\n' => State::Size {
                value: 0,
                digits: 0,
            },
            State::AfterLast if b == b'\r' => State::EndLf,
            State::AfterLast => {
                // The byte belongs to the trailer section.
                self.state = State::Trailers(HeadScan::default());
                return Ok(());
            }
            State::EndLf if b == b'\n' => State::Ended,
            _ => return Err(BodyError::ChunkEnd),
        };
        if matches!(self.state, State::Extension(_) | State::BeforeExtension(_)) {
            self.extension_bytes += 1;
            if self.extension_bytes > EXTENSION_BYTES_MAX {
                return Err(BodyError::ChunkExtension);
            }
        }
        buf.advance(1);
        Ok(())
    }
}

/// As much of the next `left` bytes as the buffer has.
fn take(left: &mut u64, buf: &mut BytesMut) -> Bytes {
    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(buf.len());
    *left -= n as u64;
    if n == buf.len() {
        // Nothing of the buffer stays behind: it goes when its content does.
        std::mem::take(buf).freeze()
    } else {
        buf.split_to(n).freeze()
    }
}

fn parse_trailers(section: &[u8]) -> Result<Fields, BodyError> {
    let mut scratch = [httparse::EMPTY_HEADER; 64];
    let parsed = match httparse::parse_headers(section, &mut scratch) {
        Ok(httparse::Status::Complete((_, parsed))) => parsed,
        _ => return Err(BodyError::Trailers),
    };
    let mut fields = Fields::with_capacity(parsed.len(), section.len());
    for field in parsed {
        let name = Name::of(field.name.as_bytes());
        // RFC 9110 §6.5.1: framing, routing and connection fields may not come as trailers.
        if matches!(
            name,
            Name::ContentLength | Name::TransferEncoding | Name::Host | Name::Connection | Name::Te
        ) {
            return Err(BodyError::Trailers);
        }
        if may_trail(field.name.as_bytes()) {
            fields.push(field.name.as_bytes(), field.value.trim_ascii());
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes `wire` handed over in pieces of `step` bytes: content, trailers, what is left.
    fn decode(
        length: BodyLength,
        wire: &[u8],
        step: usize,
    ) -> Result<(Vec<u8>, Option<usize>, usize), BodyError> {
        let mut decoder = BodyDecoder::new(length, 1024);
        let (mut buf, mut content, mut trailers) = (BytesMut::new(), Vec::new(), None);
        let mut pieces = wire.chunks(step);
        loop {
            match decoder.decode(&mut buf)? {
                Decoded::Data(data) => content.extend_from_slice(&data),
                Decoded::Trailers(fields) => trailers = Some(fields.len()),
                Decoded::End => {
                    let left = buf.len() + pieces.map(<[u8]>::len).sum::<usize>();
                    return Ok((content, trailers, left));
                }
                Decoded::More => match pieces.next() {
                    Some(piece) => buf.extend_from_slice(piece),
                    None => {
                        decoder.end_of_input()?;
                    }
                },
            }
        }
    }

    #[test]
    fn bodies_end_where_they_say() {
        let framed = BodyLength::Framed;
        for step in 1..20 {
            let got = decode(
                framed,
                b"3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\nGET",
                step,
            );
            assert_eq!(got, Ok((b"abc0123456789".to_vec(), None, 3)));
            let got = decode(framed, b"1 ;e\r\nz\r\n00\r\nA: b\r\nC: d\r\n\r\n", step);
            assert_eq!(got, Ok((b"z".to_vec(), Some(2), 0)));
            let got = decode(BodyLength::Exact(4), b"abcdNEXT", step);
            assert_eq!(got, Ok((b"abcd".to_vec(), None, 4)));
            let got = decode(BodyLength::UntilClose, b"abcd", step);
            assert_eq!(got, Ok((b"abcd".to_vec(), None, 0)));
        }
    }

    #[test]
    fn ambiguous_chunks_are_refused() {
        for wire in [
            &b"\r\n"[..],
            b"g\r\n",
            b"0x3\r\nabc\r\n",
            b"+3\r\n",
            b" 3\r\n",
            b"3 \r\nabc\r\n",
            b"3\nabc\r\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"3;a\nb\r\nabc",
            b"3;\x01\r\nabc",
            b"1000000000000000\r\n",
            b"0\r\nContent-Length: 3\r\n\r\n",
            b"0\r\nA : b\r\n\r\n",
            b"0\r\nA: b\n\r\n",
            b"0\r\n\rX",
            b"3\r\nab",
            b"0\r\n",
        ] {
            assert!(
                decode(BodyLength::Framed, wire, 100).is_err(),
                "{:?}",
                wire.escape_ascii().to_string()
            );
            assert!(
                decode(BodyLength::Framed, wire, 1).is_err(),
                "{:?}",
                wire.escape_ascii().to_string()
            );
        }
        let extensions = [&b"1;"[..], &[b'x'; 5000], b"\r\nz\r\n0\r\n\r\n"].concat();
        assert_eq!(
            decode(BodyLength::Framed, &extensions, 7),
            Err(BodyError::ChunkExtension)
        );
    }

    proptest! {
        #[test]
        fn content_survives_any_chunking(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 0..20),
            step in 1usize..300,
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\nrest");
            let got = decode(BodyLength::Framed, &wire, step);
            prop_assert_eq!(got, Ok((chunks.concat(), None, 4)));
        }

        #[test]
        fn garbage_never_panics(wire in prop::collection::vec(any::<u8>(), 0..300), step in 1usize..50) {
            let _ = decode(BodyLength::Framed, &wire, step);
        }
    }
}

//! Field blocks as they come, in one frame or in many (RFC 9113 §4.3), and what they say.

use http::StatusCode;

use super::receiver::Fault;
use crate::config::Bounds;
use crate::message::h2::{Code, Decoder, Undecodable};
use crate::message::{Fields, RequestSection, SectionError, trailer_line};

/// What a line counts beyond its name and value (§6.5.2).
const LINE_OVERHEAD: usize = 32;
/// A head of so many times the bytes it may have is still read, to be refused with an answer and a
/// line in the log. Beyond that it has no end, be it compressed or not: two bytes may stand for 4096.
const OVERSIZE_READ: usize = 4;
/// Frames of one block: an honest client fills them.
const FRAMES_MAX: u32 = 128;

/// Reads one field block after the other.
#[derive(Debug)]
pub(super) struct Heads {
    decoder: Decoder,
    open: Option<Open>,
    bytes: Vec<u8>,
    bytes_max: usize,
    fields_max: usize,
}

/// A block that is under way.
#[derive(Debug)]
struct Open {
    stream: u32,
    is_trailers: bool,
    ends_stream: bool,
    /// Whatever it says, it is wrong.
    is_bad: bool,
    frames: u32,
}

/// A block that has come whole.
pub(super) struct Block {
    pub(super) stream: u32,
    pub(super) ends_stream: bool,
    pub(super) said: Said,
}

/// What it says.
pub(super) enum Said {
    Request {
        section: Result<Box<RequestSection>, SectionError>,
        /// It is for a head alone.
        is_head: bool,
    },
    Trailers(Result<Fields, SectionError>),
}

impl Heads {
    pub(super) fn new(bounds: &Bounds) -> Heads {
        Heads {
            decoder: Decoder::default(),
            open: None,
            bytes: Vec::new(),
            bytes_max: bounds.head_bytes,
            fields_max: bounds.head_fields,
        }
    }

    /// The stream whose block is under way: only CONTINUATION may follow, on that stream.
    pub(super) fn open(&self) -> Option<u32> {
        self.open.as_ref().map(|open| open.stream)
    }

    /// A block begins.
    pub(super) fn begin(
        &mut self,
        stream: u32,
        is_trailers: bool,
        ends_stream: bool,
        is_bad: bool,
    ) {
        self.open = Some(Open {
            stream,
            is_trailers,
            ends_stream,
            is_bad,
            frames: 0,
        });
    }

    /// Takes the next fragment of the block; the block, if it was the last.
    pub(super) fn take(&mut self, fragment: &[u8], is_last: bool) -> Result<Option<Block>, Fault> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        open.frames += 1;
        let bytes = self.bytes.len() + fragment.len();
        if open.frames > FRAMES_MAX || bytes > read_max(self.bytes_max) {
            return Err(Fault::Endless);
        }
        if !is_last {
            self.bytes.extend_from_slice(fragment);
            return Ok(None);
        }
        let Some(open) = self.open.take() else {
            return Ok(None);
        };
        let mut held = std::mem::take(&mut self.bytes);
        let block = match held.is_empty() {
            true => fragment,
            false => {
                held.extend_from_slice(fragment);
                &held[..]
            }
        };
        let said = match (open.is_trailers, open.is_bad) {
            (false, is_bad) => self.request(block, is_bad)?,
            (true, false) => Said::Trailers(self.trailers(block)?),
            (true, true) => Said::Trailers(self.trailers(block)?.and(Err(SectionError::Malformed))),
        };
        Ok(Some(Block {
            stream: open.stream,
            ends_stream: open.ends_stream,
            said,
        }))
    }

    fn request(&mut self, block: &[u8], is_bad: bool) -> Result<Said, Fault> {
        let mut section = Box::new(RequestSection::new(self.fields_max, block.len()));
        let mut room = Room::new(self.bytes_max);
        let mut failed = is_bad.then_some(SectionError::Malformed);
        let mut is_head = false;
        self.decoder.decode(block, |name, value| {
            is_head |= name == b":method" && value == b"HEAD";
            let fits = room.take(name, value)?;
            if failed.is_none() {
                failed = fits.and_then(|()| section.line(name, value)).err();
            }
            Ok::<_, Fault>(())
        })?;
        Ok(Said::Request {
            section: failed.map_or(Ok(section), Err),
            is_head,
        })
    }

    fn trailers(&mut self, block: &[u8]) -> Result<Result<Fields, SectionError>, Fault> {
        let mut fields = Fields::default();
        let mut room = Room::new(self.bytes_max);
        let mut failed = None;
        self.decoder.decode(block, |name, value| {
            let fits = room.take(name, value)?;
            if failed.is_none() {
                let mut line = || trailer_line(name, value, &mut fields);
                failed = fits
                    .and_then(|()| line().ok_or(SectionError::Malformed))
                    .err();
            }
            Ok::<_, Fault>(())
        })?;
        Ok(failed.map_or(Ok(fields), Err))
    }
}

/// Bytes of a section that may have so many, until it is taken for one without an end.
fn read_max(bytes_max: usize) -> usize {
    OVERSIZE_READ * bytes_max.max(1 << 14)
}

impl From<Undecodable> for Fault {
    fn from(_: Undecodable) -> Fault {
        Code::CompressionError.into() // §4.3.
    }
}

/// What is left of the bytes that a section may have, and of those that are read.
struct Room {
    section: usize,
    read: usize,
}

impl Room {
    fn new(bytes_max: usize) -> Room {
        Room {
            section: bytes_max,
            read: read_max(bytes_max),
        }
    }

    /// Whether a line fits into the section.
    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<Result<(), SectionError>, Fault> {
        let bytes = name.len() + value.len() + LINE_OVERHEAD;
        self.read = self.read.checked_sub(bytes).ok_or(Fault::Endless)?;
        let left = self.section.checked_sub(bytes);
        self.section = left.unwrap_or(0);
        let too_large = SectionError::Refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        Ok(left.map(|_| ()).ok_or(too_large))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"\x82\x87\x84\x01\x01h";

    fn heads() -> Heads {
        Heads::new(&crate::observe::testing::config().bounds)
    }

    fn request(heads: &mut Heads, pieces: &[&[u8]]) -> Result<Result<(), SectionError>, Fault> {
        heads.begin(1, false, true, false);
        for (at, piece) in pieces.iter().enumerate() {
            if let Some(block) = heads.take(piece, at + 1 == pieces.len())? {
                let Said::Request { section, .. } = block.said else {
                    panic!("trailers");
                };
                return Ok(section.map(|_| ()));
            }
        }
        panic!("no block");
    }

    #[test]
    fn blocks_come_in_pieces() {
        let mut heads = heads();
        assert_eq!(request(&mut heads, &[GET]), Ok(Ok(())));
        let pieces: Vec<_> = GET.chunks(1).collect();
        assert_eq!(request(&mut heads, &pieces), Ok(Ok(())));
        assert_eq!(heads.open(), None);
        let cut = request(&mut heads, &[GET, b"\x40\x01"]);
        assert_eq!(cut, Err(Fault::Code(Code::CompressionError)));
    }

    /// With the longest name in the table.
    fn named() -> Heads {
        let mut heads = heads();
        let field = [b"\x40\x7f\xe1\x1e".as_slice(), &[b'n'; 4064], b"\x00"].concat();
        let block = [GET, &field].concat();
        assert_eq!(request(&mut heads, &[&block]), Ok(Ok(())));
        heads
    }

    #[test]
    fn a_long_head_is_refused_and_the_table_goes_on() {
        let mut heads = heads();
        let too_large = SectionError::Refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        let field = [b"\x40\x01x\x7f\xa1\x1e".as_slice(), &[b'v'; 4000]].concat();
        let long = [GET, &field, &[0xbe; 20]].concat();
        assert_eq!(request(&mut heads, &[&long]), Ok(Err(too_large)));
        // What comes behind the bound is malformed, and nobody has looked.
        let late = [GET, &[0xbe; 20][..], b"\x00\x01X\x00"].concat();
        assert_eq!(request(&mut heads, &[&late]), Ok(Err(too_large)));
        let again = [GET, b"\xbe"].concat();
        assert_eq!(request(&mut heads, &[&again]), Ok(Ok(())));
        // Few bytes that stand for many: whole lines, or a long name before an empty value.
        for line in [&b"\xbe"[..], b"\x7e\x00", b"\x0f\x2f\x00"] {
            let bomb = [GET, &line.repeat(40)].concat();
            assert_eq!(request(&mut named(), &[&bomb]), Err(Fault::Endless));
            let mut heads = named();
            heads.begin(3, true, true, false);
            assert_eq!(heads.take(&bomb, true).err(), Some(Fault::Endless));
        }
    }

    #[test]
    fn heads_have_an_end() {
        let mut endless = heads();
        endless.begin(1, false, true, false);
        let piece = [0; 16_384];
        let taken = (0..100).take_while(|_| endless.take(&piece, false).is_ok());
        assert!((4..=16).contains(&taken.count()));
        let mut empty = heads();
        empty.begin(1, false, true, false);
        let taken = (0..1000).take_while(|_| empty.take(b"", false).is_ok());
        assert_eq!(taken.count(), FRAMES_MAX as usize);
    }
}

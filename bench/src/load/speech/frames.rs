//! Frames of HTTP/2 (RFC 9113 §4) and as much of HPACK (RFC 7541) as one kind of request needs.

use anyhow::{Result, bail, ensure};

/// In front of every frame.
pub(super) const HEAD_BYTES: usize = 9;
/// Of a payload, where nobody has agreed on more.
pub(super) const PAYLOAD_MAX: usize = 16_384;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;

pub(super) const END_STREAM: u8 = 0x1;
pub(super) const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

pub(super) const SETTING_TABLE: u16 = 1;
pub(super) const SETTING_PUSH: u16 = 2;
pub(super) const SETTING_STREAMS: u16 = 3;
pub(super) const SETTING_WINDOW: u16 = 4;

/// A frame.
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'a [u8],
}

/// The frame at the start of `bytes` and its length, or nothing if more has to come.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>> {
    let Some(head) = bytes.first_chunk::<HEAD_BYTES>() else {
        return Ok(None);
    };
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    ensure!(length <= PAYLOAD_MAX, "a frame of {length} bytes");
    let Some(payload) = bytes[HEAD_BYTES..].get(..length) else {
        return Ok(None);
    };
    let frame = Frame {
        kind: head[3],
        flags: head[4],
        stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
        payload,
    };
    Ok(Some((frame, HEAD_BYTES + length)))
}

impl<'a> Frame<'a> {
    /// The payload of DATA or HEADERS without padding and priority.
    pub(super) fn content(&self) -> Result<&'a [u8]> {
        let mut content = self.payload;
        let mut padding = 0;
        if self.flags & PADDED != 0 {
            let Some((length, rest)) = content.split_first() else {
                bail!("padding without its length");
            };
            (padding, content) = (usize::from(*length), rest);
        }
        if self.kind == HEADERS && self.flags & PRIORITY != 0 {
            content = content.get(5..).unwrap_or_default();
        }
        match content.len().checked_sub(padding) {
            Some(length) => Ok(&content[..length]),
            None => bail!("more padding than payload"),
        }
    }

    /// The settings in a SETTINGS frame.
    pub(super) fn settings(&self) -> impl Iterator<Item = (u16, u32)> + 'a {
        self.payload.chunks_exact(6).map(|setting| {
            let value = [setting[2], setting[3], setting[4], setting[5]];
            (
                u16::from_be_bytes([setting[0], setting[1]]),
                u32::from_be_bytes(value),
            )
        })
    }

    /// The number that a WINDOW_UPDATE, RST_STREAM or GOAWAY has at `at`.
    pub(super) fn number(&self, at: usize) -> Option<u32> {
        Some(u32::from_be_bytes(*self.payload.get(at..)?.first_chunk()?))
    }
}

/// Writes a frame.
pub(super) fn write(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Whether a block of fields begins with the status 200, in any way in which one can say that
/// without a dynamic table, which we have asked for.
pub(super) fn is_ok(mut block: &[u8]) -> bool {
    // The size of the table may be said first (RFC 7541 §6.3).
    while let [0x20..=0x3f, rest @ ..] = block {
        block = rest;
    }
    match block {
        // `:status: 200` is entry 8 of the static table.
        [0x88, ..] => true,
        // A literal value for that name: to be indexed, not, or never; plain or Huffman coded.
        [0x48 | 0x08 | 0x18, 3, b'2', b'0', b'0', ..] => true,
        [0x48 | 0x08 | 0x18, 0x82, 0x10, 0x01, ..] => true,
        _ => false,
    }
}

/// The fields of a request as a block that names each, and what later blocks are, in which a dynamic
/// table stands for them.
pub(super) fn request(fields: &[(Name<'_>, &str)], table: bool) -> (Vec<u8>, Vec<u8>) {
    /// `:method: POST` and `:scheme: https`.
    const FIRST: [u8; 2] = [0x83, 0x87];
    /// Entries of the dynamic table follow those of the static one, the latest first.
    const DYNAMIC: u8 = 62;
    let mut literal = FIRST.to_vec();
    let mut indexed = FIRST.to_vec();
    if !table {
        // A table of no size, which whoever allows none has to be told (RFC 7541 §4.2).
        literal.insert(0, 0x20);
    }
    for (number, (name, value)) in fields.iter().enumerate() {
        match (name, table) {
            (Name::Entry(entry), true) => integer(&mut literal, 0x40, 6, *entry),
            (Name::Entry(entry), false) => integer(&mut literal, 0, 4, *entry),
            (Name::Text(text), _) => {
                literal.push(if table { 0x40 } else { 0 });
                string(&mut literal, text);
            }
        }
        string(&mut literal, value);
        indexed.push(0x80 | (DYNAMIC + (fields.len() - 1 - number) as u8));
    }
    match table {
        true => (literal, indexed),
        false => (literal.clone(), literal),
    }
}

/// The name of a field.
pub(super) enum Name<'a> {
    /// Of the static table.
    Entry(usize),
    Text(&'a str),
}

/// RFC 7541 §5.1.
fn integer(out: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let most = (1 << bits) - 1;
    if value < most {
        out.push(first | value as u8);
        return;
    }
    out.push(first | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn string(out: &mut Vec<u8>, text: &str) {
    integer(out, 0, 7, text.len());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        write(&mut bytes, DATA, END_STREAM, 5, b"abc");
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).expect("short").is_none());
        }
        let (frame, length) = parse(&bytes).expect("a frame").expect("whole");
        assert_eq!(
            (frame.kind, frame.flags, frame.stream, length),
            (0, 1, 5, 12)
        );
        assert_eq!(frame.content().expect("no padding"), b"abc");
        assert!(parse(&[1, 0, 0, 0, 0, 0, 0, 0, 0]).is_err(), "64 KiB");
    }

    #[test]
    fn padding_and_priority_are_no_content() {
        let frame = |kind, flags, payload| Frame {
            kind,
            flags,
            stream: 1,
            payload,
        };
        let content = |frame: Frame<'static>| frame.content().ok();
        assert_eq!(
            content(frame(DATA, PADDED, b"\x02ab\0\0")),
            Some(&b"ab"[..])
        );
        assert_eq!(content(frame(DATA, PADDED, b"\x09ab")), None);
        let both = frame(HEADERS, PADDED | PRIORITY, b"\x01\0\0\0\0\x10ab\0");
        assert_eq!(content(both), Some(&b"ab"[..]));
    }

    #[test]
    fn integers_are_those_of_the_standard() {
        // RFC 7541 §C.1.
        let mut out = Vec::new();
        integer(&mut out, 0, 5, 10);
        integer(&mut out, 0, 5, 1337);
        assert_eq!(out, [10, 31, 154, 10]);
    }

    #[test]
    fn a_request_is_short_once_its_fields_are_known() {
        let fields = [(Name::Entry(4), "/mcp"), (Name::Text("x"), "y")];
        let (literal, indexed) = request(&fields, true);
        assert_eq!(literal, b"\x83\x87\x44\x04/mcp\x40\x01x\x01y");
        assert_eq!(indexed, [0x83, 0x87, 0xbf, 0xbe]);
        let (literal, again) = request(&fields, false);
        assert_eq!(literal, b"\x20\x83\x87\x04\x04/mcp\x00\x01x\x01y");
        assert_eq!(literal, again);
    }

    #[test]
    fn only_200_is_200() {
        for block in [
            &[0x88][..],
            &[0x20, 0x88, 0x61],
            b"\x08\x03200",
            b"\x48\x82\x10\x01",
        ] {
            assert!(is_ok(block), "{block:02x?}");
        }
        for block in [&[0x8d][..], b"\x08\x03404", b"", &[0x20]] {
            assert!(!is_ok(block), "{block:02x?}");
        }
    }
}

//! Frames and settings (RFC 9114 §7), and what to say when they are wrong (§8.1).

use super::varint::{decode_varint, encode_varint};

/// Why a connection or stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Error {
    /// Nothing is wrong.
    NoError = 0x100,
    /// A rule was broken that has no code of its own.
    GeneralProtocol = 0x101,
    /// Something went wrong on this side.
    Internal = 0x102,
    /// A stream of a kind that may not be opened, or not twice.
    StreamCreation = 0x103,
    /// A stream that the connection needs was closed.
    ClosedCriticalStream = 0x104,
    /// A frame where it may not stand.
    FrameUnexpected = 0x105,
    /// A frame whose content breaks its layout.
    Frame = 0x106,
    /// The peer makes us work for nothing.
    ExcessiveLoad = 0x107,
    /// An identifier used wrongly.
    Id = 0x108,
    /// Settings that contradict the protocol.
    Settings = 0x109,
    /// No SETTINGS frame at the start of the control stream.
    MissingSettings = 0x10a,
    /// The request was not looked at; it may be sent again.
    RequestRejected = 0x10b,
    /// The request or its response is no longer wanted.
    RequestCancelled = 0x10c,
    /// The stream ended inside a request.
    RequestIncomplete = 0x10d,
    /// A message that is malformed (RFC 9114 §4.1.2).
    Message = 0x10e,
    /// A field section that cannot be decoded.
    QpackDecompression = 0x200,
    /// An instruction on the encoder stream that cannot be followed.
    QpackEncoderStream = 0x201,
    /// An instruction on the decoder stream that cannot be followed.
    QpackDecoderStream = 0x202,
}

impl Error {
    /// The code on the wire.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

/// What a frame is, as far as a server cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Content.
    Data,
    /// A field section.
    Headers,
    /// CANCEL_PUSH.
    CancelPush,
    /// SETTINGS.
    Settings,
    /// PUSH_PROMISE.
    PushPromise,
    /// GOAWAY.
    Goaway,
    /// MAX_PUSH_ID.
    MaxPushId,
    /// One that HTTP/2 had and HTTP/3 forbids (§7.2.8).
    Reserved,
    /// To be skipped (§9).
    Unknown,
}

/// Type and length of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// What it is.
    pub kind: FrameKind,
    /// How many bytes follow.
    pub len: u64,
}

const DATA: u64 = 0x0;
const HEADERS: u64 = 0x1;
const SETTINGS: u64 = 0x4;
const GOAWAY: u64 = 0x7;

impl FrameHead {
    /// The head at the start of `bytes` and how many bytes it takes; `None` while it is not whole.
    pub fn decode(bytes: &[u8]) -> Option<(FrameHead, usize)> {
        let (kind, kind_len) = decode_varint(bytes)?;
        let (len, len_len) = decode_varint(&bytes[kind_len..])?;
        let kind = match kind {
            DATA => FrameKind::Data,
            HEADERS => FrameKind::Headers,
            0x3 => FrameKind::CancelPush,
            SETTINGS => FrameKind::Settings,
            0x5 => FrameKind::PushPromise,
            GOAWAY => FrameKind::Goaway,
            0xd => FrameKind::MaxPushId,
            0x2 | 0x6 | 0x8 | 0x9 => FrameKind::Reserved,
            _ => FrameKind::Unknown,
        };
        Some((FrameHead { kind, len }, kind_len + len_len))
    }
}

/// The head of a DATA frame.
pub fn data_head(len: usize, out: &mut Vec<u8>) {
    out.push(DATA as u8);
    encode_varint(len as u64, out);
}

/// A HEADERS frame around an encoded field section.
pub fn headers(section: &[u8], out: &mut Vec<u8>) {
    out.push(HEADERS as u8);
    encode_varint(section.len() as u64, out);
    out.extend_from_slice(section);
}

/// A GOAWAY frame: requests on streams from `stream` on are not answered (§5.2).
pub fn goaway(stream: u64, out: &mut Vec<u8>) {
    let mut payload = Vec::with_capacity(8);
    encode_varint(stream, &mut payload);
    out.push(GOAWAY as u8);
    encode_varint(payload.len() as u64, out);
    out.extend_from_slice(&payload);
}

/// What one side tells the other at the start (§7.2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The largest field section it takes; `None` is without bound.
    pub field_section_bytes: Option<u64>,
    /// Whether it takes extended CONNECT (RFC 9220).
    pub extended_connect: bool,
}

const MAX_FIELD_SECTION_SIZE: u64 = 0x6;
const ENABLE_CONNECT_PROTOCOL: u64 = 0x8;
/// Those of HTTP/2 that may not appear (§7.2.4.1).
const RESERVED_SETTINGS: [u64; 4] = [0x2, 0x3, 0x4, 0x5];

impl Settings {
    /// Appends the SETTINGS frame. The dynamic table stays at its default of nothing: a server that
    /// decodes a few hundred bytes a request saves little with one, and its state would be one more
    /// thing that a client can make grow.
    pub fn encode(self, out: &mut Vec<u8>) {
        let mut payload = Vec::with_capacity(16);
        if let Some(bytes) = self.field_section_bytes {
            encode_varint(MAX_FIELD_SECTION_SIZE, &mut payload);
            encode_varint(bytes, &mut payload);
        }
        if self.extended_connect {
            encode_varint(ENABLE_CONNECT_PROTOCOL, &mut payload);
            encode_varint(1, &mut payload);
        }
        out.push(SETTINGS as u8);
        encode_varint(payload.len() as u64, out);
        out.extend_from_slice(&payload);
    }

    /// Reads the content of a SETTINGS frame.
    pub fn decode(mut payload: &[u8]) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        let mut seen = Vec::new();
        while !payload.is_empty() {
            let (id, id_len) = decode_varint(payload).ok_or(Error::Frame)?;
            let (value, value_len) = decode_varint(&payload[id_len..]).ok_or(Error::Frame)?;
            payload = &payload[id_len + value_len..];
            if RESERVED_SETTINGS.contains(&id) || seen.contains(&id) {
                return Err(Error::Settings);
            }
            // Known ones are few; the unknown are not compared beyond a screenful of them.
            if seen.len() < 64 {
                seen.push(id);
            }
            match id {
                MAX_FIELD_SECTION_SIZE => settings.field_section_bytes = Some(value),
                ENABLE_CONNECT_PROTOCOL if value > 1 => return Err(Error::Settings),
                ENABLE_CONNECT_PROTOCOL => settings.extended_connect = value == 1,
                _ => {}
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back() {
        let settings = Settings {
            field_section_bytes: Some(32 * 1024),
            extended_connect: true,
        };
        let mut out = Vec::new();
        settings.encode(&mut out);
        let (head, len) = FrameHead::decode(&out).expect("whole");
        assert_eq!(head.kind, FrameKind::Settings);
        assert_eq!(head.len as usize, out.len() - len);
        assert_eq!(Settings::decode(&out[len..]), Ok(settings));
    }

    #[test]
    fn settings_that_are_wrong() {
        assert_eq!(
            Settings::decode(&[0x2, 0]),
            Err(Error::Settings),
            "of HTTP/2"
        );
        assert_eq!(
            Settings::decode(&[0x6, 1, 0x6, 2]),
            Err(Error::Settings),
            "twice"
        );
        assert_eq!(Settings::decode(&[0x6]), Err(Error::Frame), "cut short");
        assert_eq!(
            Settings::decode(&[0x21, 7]),
            Ok(Settings::default()),
            "unknown"
        );
    }

    #[test]
    fn heads_are_known_before_their_content() {
        assert_eq!(FrameHead::decode(&[0x1]), None);
        let huge = [0x1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let (head, len) = FrameHead::decode(&huge).expect("whole");
        assert_eq!((head.kind, len), (FrameKind::Headers, 9));
        assert_eq!(head.len, (1 << 62) - 1);
        let (head, _) = FrameHead::decode(&[0x9, 0]).expect("whole");
        assert_eq!(head.kind, FrameKind::Reserved);
    }
}

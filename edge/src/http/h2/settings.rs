//! What a client wishes, and what we do (RFC 9113 §6.5).

use crate::message::h2::Code;

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;
/// RFC 8441 §3.
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// The largest window (§6.9.1).
pub(super) const WINDOW_MAX: i64 = (1 << 31) - 1;
/// A window that nothing was said about (§6.9.2).
pub(super) const WINDOW_DEFAULT: i64 = 65_535;

/// One wish of a client that makes a difference to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    HeaderTable(usize),
    InitialWindow(i64),
    FrameBytes(usize),
}

/// Reads a frame's payload, whose length is a multiple of a setting's. Of many initial windows the last
/// counts, for each means work for every stream.
pub(super) fn each(
    payload: &[u8],
    mut setting: impl FnMut(Setting) -> Result<(), Code>,
) -> Result<(), Code> {
    let mut initial_window = None;
    for one in payload.chunks_exact(6) {
        let [a, b, c, d, e, f] = *one.first_chunk().expect("chunks of six");
        let value = u32::from_be_bytes([c, d, e, f]);
        match u16::from_be_bytes([a, b]) {
            HEADER_TABLE_SIZE => setting(Setting::HeaderTable(value as usize))?,
            ENABLE_PUSH | ENABLE_CONNECT_PROTOCOL if value > 1 => {
                return Err(Code::ProtocolError);
            }
            INITIAL_WINDOW_SIZE if i64::from(value) > WINDOW_MAX => {
                return Err(Code::FlowControlError);
            }
            INITIAL_WINDOW_SIZE => initial_window = Some(Setting::InitialWindow(value.into())),
            MAX_FRAME_SIZE if !(1 << 14..1 << 24).contains(&value) => {
                return Err(Code::ProtocolError);
            }
            MAX_FRAME_SIZE => setting(Setting::FrameBytes(value as usize))?,
            // §6.5.2: what is not known means nothing.
            _ => {}
        }
    }
    initial_window.map_or(Ok(()), setting)
}

/// What we tell a client.
pub(super) struct Ours {
    pub(super) streams: u32,
    pub(super) stream_window: u32,
    pub(super) head_bytes: u32,
}

impl Ours {
    pub(super) fn payload(&self) -> Vec<u8> {
        let settings = [
            (MAX_CONCURRENT_STREAMS, self.streams),
            (INITIAL_WINDOW_SIZE, self.stream_window),
            (MAX_HEADER_LIST_SIZE, self.head_bytes),
            (ENABLE_CONNECT_PROTOCOL, 1),
        ];
        let bytes = settings.map(|(id, value)| {
            let ([a, b], [c, d, e, f]) = (id.to_be_bytes(), value.to_be_bytes());
            [a, b, c, d, e, f]
        });
        bytes.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(u16, u32)]) -> Result<Vec<Setting>, Code> {
        let bytes =
            |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        let payload: Vec<u8> = pairs.iter().flat_map(bytes).collect();
        let mut all = Vec::new();
        each(&payload, |setting| {
            all.push(setting);
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn settings_have_bounds() {
        let good = [
            (1, 0),
            (2, 1),
            (3, 7),
            (4, 5),
            (5, 16_384),
            (6, 1),
            (8, 1),
            (99, 9),
        ];
        let expected = [
            Setting::HeaderTable(0),
            Setting::FrameBytes(16_384),
            Setting::InitialWindow(5),
        ];
        assert_eq!(read(&good), Ok(expected.to_vec()));
        for (id, value, code) in [
            (2, 2, Code::ProtocolError),
            (8, 2, Code::ProtocolError),
            (4, 1 << 31, Code::FlowControlError),
            (5, 16_383, Code::ProtocolError),
            (5, 1 << 24, Code::ProtocolError),
        ] {
            assert_eq!(read(&[(id, value)]), Err(code), "{id} {value}");
        }
    }

    #[test]
    fn a_window_is_set_once_a_frame() {
        let windows = [(4, 7), (4, 1), (1, 0), (4, 9)];
        let last = [Setting::HeaderTable(0), Setting::InitialWindow(9)];
        assert_eq!(read(&windows), Ok(last.to_vec()));
    }

    #[test]
    fn ours_can_be_read() {
        let ours = Ours {
            streams: 7,
            stream_window: 99_999,
            head_bytes: 5,
        };
        let mut window = None;
        each(&ours.payload(), |setting| {
            window = Some(setting);
            Ok(())
        })
        .expect("valid");
        assert_eq!(window, Some(Setting::InitialWindow(99_999)));
    }
}

//! Unidirectional streams (RFC 9114 §6.2): ours with the settings, and those of the client.

use std::convert::Infallible;
use std::rc::Rc;

use quinn::{RecvStream, VarInt};

use super::input::{Closed, Input};
use super::shared::{Seen, Shared};
use crate::message::h3::{self, Error, FrameHead, FrameKind, Settings, varint_len};

const CONTROL: u64 = 0x0;
const PUSH: u64 = 0x1;
const QPACK_ENCODER: u64 = 0x2;
const QPACK_DECODER: u64 = 0x3;

/// A SETTINGS frame is a few pairs of numbers.
const SETTINGS_BYTES_MAX: u64 = 4096;

/// Opens our control stream. The client may not let us for a while, which holds up nothing else.
pub(super) async fn open(shared: Rc<Shared>) {
    let Ok(mut send) = shared.connection.open_uni().await else {
        return;
    };
    let mut out = vec![CONTROL as u8];
    let settings = Settings {
        field_section_bytes: Some(shared.section_bytes_max() as u64),
        extended_connect: true,
    };
    settings.encode(&mut out);
    // Before everything else on the connection.
    let _ = send.set_priority(1);
    if send.write_all(&out).await.is_err() {
        return;
    }
    let stopped = send.stopped();
    shared.control.replace(Some(send));
    // RFC 9114 §6.2.1: nobody may ask for its end.
    if let Ok(Some(_)) = stopped.await {
        shared.fail(Error::ClosedCriticalStream);
    }
}

/// Says that requests from `stream` on will not be answered.
pub(super) async fn goaway(shared: Rc<Shared>, stream: u64) {
    let Some(mut send) = shared.control.take() else {
        return;
    };
    let mut out = Vec::new();
    h3::goaway(stream, &mut out);
    if send.write_all(&out).await.is_ok() {
        shared.control.replace(Some(send));
    }
}

/// Reads a stream of the client's until the end of the connection.
pub(super) async fn serve(shared: Rc<Shared>, recv: RecvStream) {
    let mut input = Input::new(recv);
    // A stream that ends before it said what it is, is nothing (§6.2).
    let Ok(kind) = input.varint().await else {
        return shared.worked_in_vain();
    };
    let mut seen = shared.seen.get();
    let Seen {
        control,
        encoder,
        decoder,
    } = &mut seen;
    let known = match kind {
        CONTROL => control,
        QPACK_ENCODER => encoder,
        QPACK_DECODER => decoder,
        // Only servers push.
        PUSH => return shared.fail(Error::StreamCreation),
        _ => {
            let _ = input
                .into_inner()
                .stop(VarInt::from_u32(Error::StreamCreation.code()));
            return shared.worked_in_vain();
        }
    };
    if std::mem::replace(known, true) {
        return shared.fail(Error::StreamCreation);
    }
    shared.seen.set(seen);
    let error: Result<Infallible, Error> = match kind {
        CONTROL => control_frames(&shared, &mut input).await,
        QPACK_ENCODER => encoder_instructions(&shared, &mut input).await,
        _ => decoder_instructions(&shared, &mut input).await,
    };
    match error {
        Ok(never) => match never {},
        Err(error) => shared.fail(error),
    }
}

impl From<Closed> for Error {
    fn from(_: Closed) -> Error {
        Error::ClosedCriticalStream
    }
}

async fn control_frames(shared: &Shared, input: &mut Input) -> Result<Infallible, Error> {
    let first = frame_head(input).await?;
    if first.kind != FrameKind::Settings {
        return Err(Error::MissingSettings);
    }
    if first.len > SETTINGS_BYTES_MAX {
        return Err(Error::ExcessiveLoad);
    }
    // What the client allows us is more than responses take.
    Settings::decode(&input.take(first.len as usize).await?)?;
    let (mut push_id_max, mut goaway_id) = (0, u64::MAX);
    loop {
        let head = frame_head(input).await?;
        shared.spend()?;
        match head.kind {
            FrameKind::Unknown => input.skip(head.len).await?,
            // Nothing is pushed to it, so what it will not take is of no interest; but it cannot take more
            // again (RFC 9114 §5.2).
            FrameKind::Goaway => {
                let id = integer(input, head.len).await?;
                if id > goaway_id {
                    return Err(Error::Id);
                }
                goaway_id = id;
            }
            FrameKind::MaxPushId => {
                let id = integer(input, head.len).await?;
                if id < push_id_max {
                    return Err(Error::Id);
                }
                push_id_max = id;
            }
            // None was promised (§7.2.3).
            FrameKind::CancelPush => {
                integer(input, head.len).await?;
                return Err(Error::Id);
            }
            FrameKind::Data
            | FrameKind::Headers
            | FrameKind::Settings
            | FrameKind::PushPromise
            | FrameKind::Reserved => return Err(Error::FrameUnexpected),
        }
    }
}

async fn frame_head(input: &mut Input) -> Result<FrameHead, Error> {
    let (kind, len) = (input.varint().await?, input.varint().await?);
    let mut bytes = Vec::with_capacity(16);
    h3::encode_varint(kind, &mut bytes);
    h3::encode_varint(len, &mut bytes);
    let (head, _) = FrameHead::decode(&bytes).expect("two integers are a frame head");
    Ok(head)
}

/// The one integer that a frame consists of.
async fn integer(input: &mut Input, len: u64) -> Result<u64, Error> {
    if len == 0 || len > 8 {
        return Err(Error::Frame);
    }
    let bytes = input.take(len as usize).await?;
    match h3::decode_varint(&bytes) {
        Some((value, used)) if used == bytes.len() && used >= varint_len(value) => Ok(value),
        _ => Err(Error::Frame),
    }
}

/// RFC 9204 §4.3: with a table of nothing, only setting its capacity to that is left to say.
async fn encoder_instructions(shared: &Shared, input: &mut Input) -> Result<Infallible, Error> {
    loop {
        if input.byte().await? != 0b0010_0000 {
            return Err(Error::QpackEncoderStream);
        }
        shared.spend()?;
    }
}

/// RFC 9204 §4.4: nothing was sent that could be acknowledged, but streams may be cancelled.
async fn decoder_instructions(shared: &Shared, input: &mut Input) -> Result<Infallible, Error> {
    loop {
        let first = input.byte().await?;
        if first & 0b1100_0000 != 0b0100_0000 {
            return Err(Error::QpackDecoderStream);
        }
        shared.spend()?;
        if first & 0b0011_1111 != 0b0011_1111 {
            continue;
        }
        // The rest of the stream's number, which is at most 62 bits.
        for left in (0..9).rev() {
            match input.byte().await? {
                byte if byte & 0x80 == 0 => break,
                _ if left > 0 => {}
                _ => return Err(Error::QpackDecoderStream),
            }
        }
    }
}

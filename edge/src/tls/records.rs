//! Records appended to growing buffers, which the library writes to fixed ones.

use bytes::{Buf as _, BytesMut};
use rustls::unbuffered::{
    EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, WriteTraffic,
};

use super::session_error::SessionError;

/// Plaintext in a record (RFC 8446 §5.1).
pub(super) const RECORD_PLAINTEXT_MAX: usize = 16 * 1024;

/// What a record adds at most: header, explicit nonce and tag of TLS 1.2 AES-GCM (RFC 5288 §3).
const RECORD_OVERHEAD_MAX: usize = 5 + 8 + 16;

/// Appends a handshake or alert record.
pub(super) fn append_queued<Data>(data: &mut EncodeTlsData<'_, Data>, out: &mut BytesMut) {
    let start = out.len();
    let mut room = 0;
    loop {
        out.resize(start + room, 0);
        match data.encode(&mut out[start..]) {
            Ok(written) => return out.truncate(start + written),
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                room = required_size;
            }
            // Each state is encoded once, so this does not happen; there would be nothing to add.
            Err(EncodeError::AlreadyEncoded) => return out.truncate(start),
        }
    }
}

/// Appends `plaintext` as application data.
pub(super) fn append_data<Data>(
    traffic: &mut WriteTraffic<'_, Data>,
    plaintext: &[u8],
    out: &mut BytesMut,
) -> Result<(), SessionError> {
    if plaintext.is_empty() {
        return Ok(());
    }
    let records = plaintext.len().div_ceil(RECORD_PLAINTEXT_MAX);
    append(
        out,
        plaintext.len() + records * RECORD_OVERHEAD_MAX,
        |buffer| traffic.encrypt(plaintext, buffer),
    )
}

/// Appends a `close_notify`.
pub(super) fn append_close_notify<Data>(
    traffic: &mut WriteTraffic<'_, Data>,
    out: &mut BytesMut,
) -> Result<(), SessionError> {
    // Two bytes of alert (RFC 8446 §6), and in TLS 1.3 the type of the content.
    append(out, 3 + RECORD_OVERHEAD_MAX, |buffer| {
        traffic.queue_close_notify(buffer)
    })
}

/// Appends what `write` produces; if `room` bytes are not enough, with as many as it asks for.
fn append(
    out: &mut BytesMut,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), SessionError> {
    if out.capacity() == 0 && room > RECORD_PLAINTEXT_MAX {
        *out = away_from_page(room);
    }
    let start = out.len();
    loop {
        out.resize(start + room, 0);
        match write(&mut out[start..]) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            // A key update or an alert goes before the data.
            Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                room = required_size;
            }
            Err(EncryptError::EncryptExhausted) => {
                out.truncate(start);
                return Err(SessionError::Exhausted);
            }
        }
    }
}

/// A buffer that does not begin where a page does. The library copies each record to here from a place of its
/// own that does, and where this one did as well the second and the third would be copied slowly, see
/// [`crate::copying`].
fn away_from_page(room: usize) -> BytesMut {
    const AWAY: usize = 64;
    let mut out = BytesMut::with_capacity(AWAY + room);
    out.resize(AWAY, 0);
    out.advance(AWAY);
    out
}

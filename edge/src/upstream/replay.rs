//! What was sent of a request's body, for the case that it has to be sent again.

use bytes::Bytes;

use crate::message::Fields;

/// Content kept until the server has answered: a JSON-RPC message, and no upload.
const BYTES_MAX: usize = 64 * 1024;
/// Pieces of it: each keeps the memory alive that it was read into, however short it is.
const PIECES_MAX: usize = 64;

/// What was sent of a request's body.
#[derive(Default)]
pub struct Replay {
    pub(super) content: Vec<Bytes>,
    /// Its end, with trailers if there were any.
    pub(super) end: Option<Option<Fields>>,
    bytes: usize,
}

impl Replay {
    /// Keeps content that is being sent; what has become too long is not kept at all.
    pub(super) fn push(this: &mut Option<Box<Replay>>, data: &Bytes) {
        let Some(replay) = this else { return };
        replay.bytes += data.len();
        match replay.bytes > BYTES_MAX || replay.content.len() == PIECES_MAX {
            true => *this = None,
            false => replay.content.push(data.clone()),
        }
    }

    /// Keeps the end of what is being sent.
    pub(super) fn finish(this: &mut Option<Box<Replay>>, trailers: Option<&Fields>) {
        if let Some(replay) = this {
            replay.end = Some(trailers.cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_kept_and_an_upload_is_not() {
        let mut kept = Some(Box::<Replay>::default());
        Replay::push(&mut kept, &Bytes::from(vec![b'a'; BYTES_MAX]));
        Replay::finish(&mut kept, None);
        let whole = kept.as_ref().expect("not longer than may be");
        assert!(whole.content.len() == 1 && matches!(whole.end, Some(None)));
        Replay::push(&mut kept, &Bytes::from_static(b"b"));
        assert!(kept.is_none());
        Replay::push(&mut kept, &Bytes::from_static(b"c"));
        assert!(kept.is_none(), "a part of it is of no use");
        let mut kept = Some(Box::<Replay>::default());
        for _ in 0..PIECES_MAX {
            Replay::push(&mut kept, &Bytes::from_static(b"a"));
        }
        assert!(kept.is_some());
        Replay::push(&mut kept, &Bytes::from_static(b"a"));
        assert!(kept.is_none(), "in too many pieces");
    }
}

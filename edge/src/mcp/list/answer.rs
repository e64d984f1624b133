//! An answer that may be kept.

use std::ops::Range;

use bytes::Bytes;

use super::is_json;
use super::members::{Member, members};

/// Whom an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For everybody.
    Public,
    /// For those who ask with the same authorization.
    Private,
}

/// An answer that may be kept: what the server says about that, and what of it is one client's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListAnswer {
    /// How long it may be kept, in milliseconds; never zero.
    pub ttl_ms: u64,
    /// For whom.
    pub scope: Scope,
    id: Range<usize>,
    ttl: Range<usize>,
}

impl ListAnswer {
    /// Reads the answer to a request whose id was written as `id`. `None` if it may not be kept: an
    /// error, something that is not finished, or no time or scope that is one.
    pub fn read(body: &[u8], id: &[u8]) -> Option<ListAnswer> {
        if !is_json(body) {
            return None;
        }
        let (mut own, mut result) = (None, None);
        for Member { name, value } in members(body, 0)? {
            match &body[name] {
                b"id" => own = Some(value),
                b"result" => result = Some(value),
                b"jsonrpc" => {}
                _ => return None,
            }
        }
        let own = own.filter(|own| is_same(&body[own.clone()], id))?;
        let (mut ttl, mut scope) = (None, None);
        for Member { name, value } in members(body, result?.start)? {
            match (&body[name], &body[value.clone()]) {
                (b"ttlMs", _) => ttl = Some(value),
                (b"cacheScope", b"\"public\"") => scope = Some(Scope::Public),
                (b"cacheScope", b"\"private\"") => scope = Some(Scope::Private),
                (b"cacheScope", _) => return None,
                (b"resultType", kind) if kind != b"\"complete\"" => return None,
                _ => {}
            }
        }
        let ttl = ttl?;
        // Digits alone: what is negative counts as none, and no server writes an exponent.
        let digits = std::str::from_utf8(&body[ttl.clone()]).ok()?;
        let ttl_ms = digits.parse().ok().filter(|&ttl_ms| ttl_ms > 0)?;
        Some(ListAnswer {
            ttl_ms,
            scope: scope?,
            id: own,
            ttl,
        })
    }

    /// The answer for somebody else: `body`, which this was read from, with another id and with the
    /// time that is left. In pieces, so that what is kept is not copied.
    pub fn pieces(&self, body: &Bytes, id: Bytes, left_ms: u64) -> [Bytes; 5] {
        let left = Bytes::from(left_ms.to_string());
        let mut places = [(&self.id, id), (&self.ttl, left)];
        places.sort_by_key(|(place, _)| place.start);
        let [(first, one), (second, other)] = places;
        [
            body.slice(..first.start),
            one,
            body.slice(first.end..second.start),
            other,
            body.slice(second.end..),
        ]
    }
}

/// Servers may write an id in another way than clients do.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let value = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).ok();
    one == other || value(one).is_some_and(|one| Some(one) == value(other))
}

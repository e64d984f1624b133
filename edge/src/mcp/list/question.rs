//! A request for a list: what of it makes it another question, and the id, which does not.

use std::ops::Range;

use super::members::{Member, members};
use super::{is_json, is_list};

/// Of `_meta`: what is about this one request, its progress or its trace (SEP-414).
const OF_THE_REQUEST: [&[u8]; 4] = [b"progressToken", b"traceparent", b"tracestate", b"baggage"];

/// A request for a list that may be answered from what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuestion {
    /// Where its id stands.
    pub id: Range<usize>,
    /// Where its method stands.
    pub method: Range<usize>,
}

impl ListQuestion {
    /// Reads a body; `part` is given everything that the answer may depend on, piece by piece, none of
    /// which can be mistaken for two others. `None` for what is never answered so.
    pub fn read(body: &[u8], mut part: impl FnMut(&[u8])) -> Option<ListQuestion> {
        if !is_json(body) {
            return None;
        }
        let (mut id, mut method) = (None, None);
        for Member { name, value } in members(body, 0)? {
            match (&body[name.clone()], body.get(value.start)?) {
                (b"id", b'"' | b'-' | b'0'..=b'9') => id = Some(value),
                // A notification, or nobody knows what.
                (b"id", _) => return None,
                (b"params", b'{') => params(body, value.start, &mut part)?,
                (found, first) => {
                    if found == b"method" {
                        // A name with escapes is none of those looked for.
                        method = (*first == b'"').then_some(value.start + 1..value.end - 1);
                    }
                    part(&body[name]);
                    part(&body[value]);
                }
            }
        }
        let method = method.filter(|method| is_list(&body[method.clone()]))?;
        Some(ListQuestion { id: id?, method })
    }
}

fn params(body: &[u8], at: usize, part: &mut impl FnMut(&[u8])) -> Option<()> {
    part(b"params");
    for Member { name, value } in members(body, at)? {
        match (&body[name.clone()], body.get(value.start)?) {
            // Answers to what the server asked for in between: "MUST NOT be cached".
            (b"inputResponses" | b"requestState", _) => return None,
            (b"_meta", b'{') => {
                part(b"_meta");
                for Member { name, value } in members(body, value.start)? {
                    if !OF_THE_REQUEST.contains(&&body[name.clone()]) {
                        part(&body[name]);
                        part(&body[value]);
                    }
                }
                part(b"");
            }
            _ => {
                part(&body[name]);
                part(&body[value]);
            }
        }
    }
    part(b"");
    Some(())
}

//! Members of a message that are looked at, and keys that some parsers take for theirs.

use super::{BodyScan, Expect, Slot};
use crate::mcp::text::Text;

impl BodyScan {
    /// What the value of a member is, where that is looked at.
    fn member(&self, key: &[u8]) -> Option<Slot> {
        Some(match (self.depth, key) {
            (1, b"method") => Slot::Method,
            (1, b"id") => Slot::Id,
            (1, b"params") => Slot::Params,
            (1, b"result" | b"error") => Slot::Answer,
            (2, b"name") if self.member == Slot::Params => Slot::Name,
            (2, b"uri") if self.member == Slot::Params => Slot::Uri,
            _ => return None,
        })
    }

    /// Whether keys here are looked at.
    fn has_members(&self) -> bool {
        self.depth == 1 || (self.depth == 2 && self.member == Slot::Params)
    }

    /// A key that is there whole and stands for itself.
    pub(super) fn plain_key(&mut self, key: &[u8]) {
        self.expect = Expect::Colon;
        if !self.has_members() {
            return;
        }
        match self.member(key) {
            Some(slot) => self.begin_member(slot),
            // Nobody takes it for another.
            None if key.iter().all(u8::is_ascii_lowercase) => {}
            None => {
                self.key.set(key);
                self.end_key();
            }
        }
    }

    /// A key has ended: which value is to come.
    pub(super) fn end_key(&mut self) {
        self.expect = Expect::Colon;
        if !self.has_members() {
            return;
        }
        let key = self.key;
        self.ambiguous |= !key.is_sound();
        let Some(key) = key.get() else { return };
        match self.member(key) {
            Some(slot) => self.begin_member(slot),
            // Some parsers do not mind the case.
            None => {
                self.ambiguous |= folded(key).is_some_and(|key| self.member(key.start()).is_some())
            }
        }
    }

    /// The value to come is one of those that are looked at.
    fn begin_member(&mut self, slot: Slot) {
        self.ambiguous |= self.has(slot);
        self.slot = slot;
        match slot {
            Slot::Method => {
                self.method.clear();
                self.names = None;
            }
            Slot::Name => self.name.clear(),
            Slot::Uri => self.uri.clear(),
            Slot::Id => self.id.clear(),
            // The last one counts for most parsers, and with it all it holds.
            Slot::Params => self.seen &= !(1 << Slot::Name as u8 | 1 << Slot::Uri as u8),
            Slot::Answer | Slot::Other => {}
        }
        if !matches!(slot, Slot::Method | Slot::Name | Slot::Uri) {
            self.seen |= 1 << slot as u8;
        }
    }
}

/// A key in lower case, if it is another one, as Unicode folds it
/// (<https://www.unicode.org/Public/UCD/latest/ucd/CaseFolding.txt>): of what is not ASCII, the long s and
/// the sign of kelvins alone become letters of it. Go's parser takes such keys.
fn folded(key: &[u8]) -> Option<Text<8>> {
    if key
        .iter()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    {
        return None;
    }
    let mut folded = Text::new();
    for char in std::str::from_utf8(key).ok()?.chars() {
        folded.push(match char {
            '\u{17f}' => b's',
            '\u{212a}' => b'k',
            char => u8::try_from(char).ok()?.to_ascii_lowercase(),
        });
    }
    Some(folded)
}

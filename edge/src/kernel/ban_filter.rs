//! What stands in front of the ban table: a filter, a bit of which says whether a source like this
//! may be banned, a coarse one of that filter's words, and what each CPU remembers of whom it has
//! looked up.
//!
//! A bit is set before its ban is written and cleared after the last ban that needs it is gone, so
//! that no packet finds a ban hidden.

use std::collections::HashMap;
use std::error::Error;

use aya::maps::IterableMap;
use edge_common::{BAN_FILTER_FINE, SourceKey, ban_filter, ban_filter_coarse};

use super::object::BanFront;
use super::{ShieldError, sys};

pub(super) struct BanFilter {
    front: BanFront,
    /// The fine words that are not zero: their bits, each with the number of bans that need it.
    words: HashMap<u32, Vec<(u64, u32)>>,
    /// The number in the map, which nobody else writes.
    changes: u64,
}

impl BanFilter {
    /// Takes up a map beside a table that holds these bans. Bits that an earlier run has left and
    /// nobody needs are cleared; those needed stay as they are throughout.
    pub(super) fn over<'a>(
        front: BanFront,
        bans: impl Iterator<Item = &'a SourceKey>,
    ) -> Result<BanFilter, ShieldError> {
        let changes = front.changed.get(&0, 0);
        let mut filter = BanFilter {
            changes: changes.map_err(|error| inaccessible(error.into()))?,
            front,
            words: HashMap::new(),
        };
        for source in bans {
            let [_, (word, bit)] = ban_filter(source);
            let bits = filter.words.entry(word).or_default();
            match bits.iter_mut().find(|(known, _)| *known == bit) {
                Some((_, bans)) => *bans += 1,
                None => bits.push((bit, 1)),
            }
        }
        let (keys, values) = sys::entries(
            filter.front.filter.map().fd(),
            size_of::<u32>(),
            size_of::<u64>(),
        )
        .map_err(|error| inaccessible(error.into()))?;
        let (keys, _) = keys.as_chunks();
        let (values, _) = values.as_chunks();
        for (word, held) in keys.iter().zip(values) {
            let (word, held) = (u32::from_ne_bytes(*word), u64::from_ne_bytes(*held));
            if filter.value(word) != held {
                filter.write(word)?;
            }
        }
        Ok(filter)
    }

    /// A source is about to be banned.
    pub(super) fn add(&mut self, source: &SourceKey) -> Result<(), ShieldError> {
        let [_, (word, bit)] = ban_filter(source);
        let bits = self.words.entry(word).or_default();
        let is_first = bits.is_empty();
        match bits.iter_mut().find(|(known, _)| *known == bit) {
            Some((_, bans)) => {
                *bans += 1;
                Ok(())
            }
            None => {
                bits.push((bit, 1));
                self.write(word)?;
                self.write_coarse(is_first, word)
            }
        }
    }

    /// The table has changed: no CPU may go on remembering what it was.
    pub(super) fn changed(&mut self) -> Result<(), ShieldError> {
        self.changes += 1;
        let changed = &mut self.front.changed;
        let set = changed.set(0, self.changes, 0);
        set.map_err(|error| inaccessible(error.into()))
    }

    /// The ban of a source is gone from the table.
    pub(super) fn remove(&mut self, source: &SourceKey) -> Result<(), ShieldError> {
        self.changed()?;
        let [_, (word, bit)] = ban_filter(source);
        let Some(bits) = self.words.get_mut(&word) else {
            return Ok(());
        };
        for (_, bans) in bits.iter_mut().filter(|(known, _)| *known == bit) {
            *bans -= 1;
        }
        let before = bits.len();
        bits.retain(|(_, bans)| *bans > 0);
        if bits.len() == before {
            return Ok(());
        }
        let is_last = bits.is_empty();
        if is_last {
            self.words.remove(&word);
        }
        self.write(word)?;
        self.write_coarse(is_last, word)
    }

    /// Writes the coarse word that tells of this one, if it has become another.
    fn write_coarse(&mut self, is_other: bool, word: u32) -> Result<(), ShieldError> {
        match is_other {
            true => self.write(ban_filter_coarse(word).0),
            false => Ok(()),
        }
    }

    fn write(&mut self, word: u32) -> Result<(), ShieldError> {
        let value = self.value(word);
        self.front
            .filter
            .set(word, value, 0)
            .map_err(|error| inaccessible(error.into()))
    }

    fn value(&self, word: u32) -> u64 {
        if let Some(coarse) = word.checked_sub(BAN_FILTER_FINE) {
            // Two words of the fine filter for each bit.
            let fine = (coarse * 128..).take(128);
            let set = fine.filter(|fine| self.words.contains_key(fine));
            return set.fold(0, |value, fine| value | ban_filter_coarse(fine).1);
        }
        let bits = self.words.get(&word).map_or(&[][..], Vec::as_slice);
        bits.iter().fold(0, |value, (bit, _)| value | bit)
    }
}

fn inaccessible(cause: Box<dyn Error + Send + Sync>) -> ShieldError {
    ShieldError::Map {
        map: "BAN_FILTER",
        cause,
    }
}

//! One list: what is wanted, and what its two tries in the kernel hold.
//!
//! Nothing is written but the difference, and that in slices. Entries are only ever removed one by
//! one: freeing a trie whole keeps a CPU of the kernel busy for as long as it is large.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;

use aya::maps::MapData;
use edge_common::{LIST_MAX, ListOrigin};

use super::object::Tries;
use super::{ShieldError, sys};
use crate::cidr::{Cidr, ListUse};
use crate::clock::monotonic_ns;

/// Entries written or removed in one system call: half a millisecond.
const SLICE: usize = 512;

pub(super) struct List {
    list_use: ListUse,
    tries: Tries,
    entries: BTreeMap<Cidr, Entry>,
    /// Entries to be written and to be removed.
    writes: BTreeSet<Cidr>,
    removals: BTreeSet<Cidr>,
    /// Of all entries, those of IPv4.
    v4: usize,
}

/// Who wants a network on the list, and whom the kernel has as wanting it.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    wanted: ListOrigin,
    held: ListOrigin,
}

impl List {
    /// A list as the kernel holds it. What an operator put there stays; what came from a
    /// configuration goes unless [`List::want`] has it again.
    pub(super) fn new(list_use: ListUse, tries: Tries) -> Result<List, ShieldError> {
        let mut list = List {
            list_use,
            tries,
            entries: BTreeMap::new(),
            writes: BTreeSet::new(),
            removals: BTreeSet::new(),
            v4: 0,
        };
        for (cidr, held) in list.tries.read().map_err(|error| list.failed(error))? {
            let entry = Entry { wanted: held, held };
            list.set(cidr, entry);
        }
        Ok(list)
    }

    /// Takes over the networks of a configuration, which are in order and each there once.
    pub(super) fn want(&mut self, configured: &[Cidr]) {
        debug_assert!(configured.is_sorted(), "in order");
        let no_more: Vec<Cidr> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.wanted.any(ListOrigin::CONFIG))
            .map(|(cidr, _)| *cidr)
            .filter(|cidr| configured.binary_search(cidr).is_err())
            .collect();
        for cidr in no_more {
            self.change(cidr, |wanted| wanted.without(ListOrigin::CONFIG));
        }
        for cidr in configured {
            self.change(*cidr, |wanted| wanted.with(ListOrigin::CONFIG));
        }
    }

    /// Adds a network at once; whether it was not on the list.
    pub(super) fn add(&mut self, cidr: Cidr) -> Result<bool, ShieldError> {
        let before = self.origin(&cidr);
        if before == ListOrigin::NONE && self.wanted_of_family(&cidr) >= LIST_MAX as usize {
            return Err(ShieldError::ListFull {
                list: self.list_use.name(),
                family: if cidr.addr().is_ipv4() {
                    "IPv4"
                } else {
                    "IPv6"
                },
                max: LIST_MAX,
            });
        }
        self.change(cidr, |wanted| wanted.with(ListOrigin::OPERATOR));
        if self.writes.contains(&cidr) {
            self.write(&[cidr])?;
        }
        Ok(before == ListOrigin::NONE)
    }

    /// Takes away at once what an operator added; who wanted it there before.
    pub(super) fn remove(&mut self, cidr: Cidr) -> Result<ListOrigin, ShieldError> {
        let before = self.origin(&cidr);
        self.change(cidr, |wanted| wanted.without(ListOrigin::OPERATOR));
        if self.writes.contains(&cidr) {
            self.write(&[cidr])?;
        }
        if self.removals.contains(&cidr) {
            self.take_away(&[cidr])?;
        }
        Ok(before)
    }

    /// Who wants a network on the list.
    pub(super) fn origin(&self, cidr: &Cidr) -> ListOrigin {
        self.entries
            .get(cidr)
            .map_or(ListOrigin::NONE, |entry| entry.wanted)
    }

    /// What is wanted, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Cidr, ListOrigin)> {
        let wanted = |(cidr, entry): (&Cidr, &Entry)| (*cidr, entry.wanted);
        let entries = self.entries.iter().map(wanted);
        entries.filter(|(_, origin)| *origin != ListOrigin::NONE)
    }

    /// The widest network an address is in.
    pub(super) fn covering(&self, addr: IpAddr) -> Option<Cidr> {
        let addr = addr.to_canonical();
        let most = if addr.is_ipv4() { 32 } else { 128 };
        let networks = (0..=most).filter_map(|prefix| Cidr::new(addr, prefix));
        networks
            .into_iter()
            .find(|cidr| self.origin(cidr) != ListOrigin::NONE)
    }

    /// Whether there are entries, or will be once all is written: of IPv4, of IPv6.
    pub(super) fn has_entries(&self) -> (bool, bool) {
        (self.v4 > 0, self.entries.len() > self.v4)
    }

    /// How many networks are wanted.
    pub(super) fn len(&self) -> usize {
        // What is there and not wanted is to be removed.
        self.entries.len() - self.removals.len()
    }

    /// Takes everything out of the tries, until then.
    pub(super) fn empty(&self, until_ns: u64) -> io::Result<()> {
        empty(self.tries.v4.fd(), V4_KEY_BYTES, until_ns)?;
        empty(self.tries.v6.fd(), V6_KEY_BYTES, until_ns)
    }

    pub(super) fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Writes a slice of what is wanted and not there; whether there was any.
    pub(super) fn write_slice(&mut self) -> Result<bool, ShieldError> {
        let slice: Vec<Cidr> = self.writes.iter().take(SLICE).copied().collect();
        self.write(&slice)?;
        Ok(!slice.is_empty())
    }

    /// Removes a slice of what is there and not wanted; whether there was any.
    pub(super) fn remove_slice(&mut self) -> Result<bool, ShieldError> {
        let slice: Vec<Cidr> = self.removals.iter().take(SLICE).copied().collect();
        self.take_away(&slice)?;
        Ok(!slice.is_empty())
    }

    fn wanted_of_family(&self, cidr: &Cidr) -> usize {
        let is_v4 = cidr.addr().is_ipv4();
        let going = self.removals.iter();
        let going = going.filter(|cidr| cidr.addr().is_ipv4() == is_v4).count();
        let all = if is_v4 {
            self.v4
        } else {
            self.entries.len() - self.v4
        };
        all - going
    }

    /// Changes who wants a network, and notes what is to be done about it.
    fn change(&mut self, cidr: Cidr, change: impl Fn(ListOrigin) -> ListOrigin) {
        let mut entry = self.entries.get(&cidr).copied().unwrap_or_default();
        let wanted = change(entry.wanted);
        if wanted == entry.wanted {
            return;
        }
        entry.wanted = wanted;
        self.writes.remove(&cidr);
        self.removals.remove(&cidr);
        if wanted != entry.held {
            match wanted {
                ListOrigin::NONE => self.removals.insert(cidr),
                _ => self.writes.insert(cidr),
            };
        }
        self.set(cidr, entry);
    }

    fn set(&mut self, cidr: Cidr, entry: Entry) {
        let is_gone = entry.wanted == ListOrigin::NONE && entry.held == ListOrigin::NONE;
        let was_there = match is_gone {
            true => self.entries.remove(&cidr).is_some(),
            false => self.entries.insert(cidr, entry).is_some(),
        };
        if cidr.addr().is_ipv4() {
            self.v4 = self.v4 + usize::from(!is_gone) - usize::from(was_there);
        }
    }

    fn write(&mut self, cidrs: &[Cidr]) -> Result<(), ShieldError> {
        let entries: Vec<(Cidr, ListOrigin)> = cidrs
            .iter()
            .map(|cidr| (*cidr, self.origin(cidr)))
            .collect();
        let written = self.tries.write(&entries);
        written.map_err(|error| self.failed(error))?;
        for (cidr, held) in entries {
            self.writes.remove(&cidr);
            self.set(cidr, Entry { wanted: held, held });
        }
        Ok(())
    }

    fn take_away(&mut self, cidrs: &[Cidr]) -> Result<(), ShieldError> {
        self.tries
            .remove(cidrs)
            .map_err(|error| self.failed(error))?;
        for cidr in cidrs {
            self.removals.remove(cidr);
            self.set(*cidr, Entry::default());
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> ShieldError {
        ShieldError::Map {
            map: match self.list_use {
                ListUse::Allow => "ALLOW",
                ListUse::Deny => "DENY",
            },
            cause: error.into(),
        }
    }
}

/// Entries as the tries take them: the length of the prefix, then the address.
#[derive(Default)]
struct Rows {
    count: usize,
    keys: Vec<u8>,
    origins: Vec<u8>,
}

impl Rows {
    fn push(&mut self, cidr: &Cidr, origin: ListOrigin) {
        self.count += 1;
        self.keys.extend(u32::from(cidr.prefix()).to_ne_bytes());
        match cidr.addr() {
            IpAddr::V4(v4) => self.keys.extend(v4.octets()),
            IpAddr::V6(v6) => self.keys.extend(v6.octets()),
        }
        self.origins.extend(origin.0.to_ne_bytes());
    }

    /// The rows of IPv4 and of IPv6.
    fn of(entries: impl Iterator<Item = (Cidr, ListOrigin)>) -> (Rows, Rows) {
        let (mut v4, mut v6) = (Rows::default(), Rows::default());
        for (cidr, origin) in entries {
            let rows = if cidr.addr().is_ipv4() {
                &mut v4
            } else {
                &mut v6
            };
            rows.push(&cidr, origin);
        }
        (v4, v6)
    }
}

impl Tries {
    fn write(&self, entries: &[(Cidr, ListOrigin)]) -> io::Result<()> {
        let (v4, v6) = Rows::of(entries.iter().copied());
        sys::update(self.v4.fd(), v4.count, &v4.keys, &v4.origins)?;
        sys::update(self.v6.fd(), v6.count, &v6.keys, &v6.origins)
    }

    fn remove(&self, cidrs: &[Cidr]) -> io::Result<()> {
        let (v4, v6) = Rows::of(cidrs.iter().map(|cidr| (*cidr, ListOrigin::NONE)));
        sys::delete(self.v4.fd(), v4.count, &v4.keys)?;
        sys::delete(self.v6.fd(), v6.count, &v6.keys)
    }

    fn read(&self) -> io::Result<Vec<(Cidr, ListOrigin)>> {
        let mut entries = read::<V4_KEY_BYTES, 4>(&self.v4)?;
        entries.extend(read::<V6_KEY_BYTES, 16>(&self.v6)?);
        Ok(entries)
    }
}

/// Removes the entries of a trie slice by slice, until then: freed whole, a large one keeps a CPU of
/// the kernel busy for as long.
pub(super) fn empty(trie: impl AsFd, key_bytes: usize, until_ns: u64) -> io::Result<()> {
    let (keys, _) = sys::entries(&trie, key_bytes, size_of::<ListOrigin>())?;
    for slice in keys.chunks(SLICE * key_bytes) {
        if monotonic_ns() > until_ns {
            break;
        }
        sys::delete(&trie, slice.len() / key_bytes, slice)?;
    }
    Ok(())
}

/// Bytes of a trie's keys: the length of the prefix and the address.
const V4_KEY_BYTES: usize = 4 + 4;
const V6_KEY_BYTES: usize = 4 + 16;

/// The entries of a trie: `N` bytes of address in keys of `K`.
fn read<const K: usize, const N: usize>(trie: &MapData) -> io::Result<Vec<(Cidr, ListOrigin)>>
where
    IpAddr: From<[u8; N]>,
{
    let (keys, origins) = sys::entries(trie.fd(), K, size_of::<ListOrigin>())?;
    let (keys, _) = keys.as_chunks::<K>();
    let (origins, _) = origins.as_chunks();
    let entry = |(key, origin): (&[u8; K], &[u8; 4])| {
        let (prefix, addr) = key.split_first_chunk()?;
        let prefix = u8::try_from(u32::from_ne_bytes(*prefix)).ok()?;
        let addr: [u8; N] = addr.try_into().ok()?;
        let origin = ListOrigin(u32::from_ne_bytes(*origin));
        Some((Cidr::new(addr.into(), prefix)?, origin))
    };
    Ok(keys.iter().zip(origins).filter_map(entry).collect())
}

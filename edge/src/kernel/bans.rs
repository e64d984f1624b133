//! The ban table: a map in the kernel and its copy here.
//!
//! The copy knows the bans in the order of their expiry, so that listing them costs no system call
//! and removing the expired ones costs only what has expired. This process is the map's only
//! writer, so the two cannot differ.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use aya::maps::{IterableMap, MapError};
use edge_common::{BanCause, Ipv6Mask, SourceKey};

use super::ban_filter::BanFilter;
use super::error::errno;
use super::object::{BanFront, BanMap};
use super::pin::OldMap;
use super::{ShieldError, sys};

/// Expired bans removed by one sweep: some milliseconds of system calls.
const SWEEP_MAX: usize = 4096;

/// A ban in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The address, or the first one of the IPv6 prefix.
    pub addr: IpAddr,
    /// The length of the banned prefix: 32 for IPv4.
    pub prefix: u8,
    /// Until the source is let through again.
    pub remaining: Duration,
    /// Why.
    pub cause: BanCause,
    /// Which of the source's bans it is, from 1.
    pub count: u16,
}

/// Times are `CLOCK_MONOTONIC` nanoseconds, the program's clock.
pub(super) struct Bans {
    map: BanMap,
    filter: BanFilter,
    /// Bans there is room for.
    max: u32,
    mask: Ipv6Mask,
    held: HashMap<SourceKey, edge_common::Ban>,
    by_expiry: BTreeSet<(u64, SourceKey)>,
}

impl Bans {
    /// Takes up a map with the bans in it, whose IPv6 sources were cut like this.
    pub(super) fn new(map: BanMap, front: BanFront, mask: Ipv6Mask) -> Result<Bans, ShieldError> {
        let (key, value) = (size_of::<SourceKey>(), size_of::<edge_common::Ban>());
        let (keys, values) = sys::entries(map.map().fd(), key, value).map_err(unreadable)?;
        let entries = keys.chunks_exact(key).zip(values.chunks_exact(value));
        let held: HashMap<SourceKey, edge_common::Ban> = entries
            .filter_map(|(key, value)| Some((SourceKey::from_ne_bytes(key)?, ban(value)?)))
            .collect();
        let by_expiry = held.iter().map(|(key, ban)| (ban.expires_ns, *key));
        let info = map.map().info().map_err(inaccessible)?;
        Ok(Bans {
            max: info.max_entries(),
            map,
            filter: BanFilter::over(front, held.keys())?,
            mask,
            by_expiry: by_expiry.collect(),
            held,
        })
    }

    /// Takes over the bans of a table of whatever layout, from a time when IPv6 sources were cut
    /// in whatever way: those of IPv4, and those of IPv6 that fit the prefix that is in force.
    pub(super) fn carry(&mut self, old: &OldMap) -> Result<(), ShieldError> {
        for (key, value) in old.entries().map_err(unreadable)? {
            let (Some(key), Some(ban)) = (SourceKey::from_ne_bytes(&key), ban(&value)) else {
                continue;
            };
            if SourceKey::from_ip(key.ip(), &self.mask) == key {
                self.extend(key, ban)?;
            }
        }
        Ok(())
    }

    /// Bans a source until `now + duration`, or longer if it already is.
    pub(super) fn insert(
        &mut self,
        addr: IpAddr,
        duration: Duration,
        (cause, count): (BanCause, u16),
        now: u64,
    ) -> Result<(), ShieldError> {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let key = SourceKey::from_ip(addr, &self.mask);
        let ban = edge_common::Ban::new(now.saturating_add(nanos), cause, count);
        self.extend(key, ban)
    }

    fn extend(&mut self, key: SourceKey, ban: edge_common::Ban) -> Result<(), ShieldError> {
        let current = self.held.get(&key).map(|current| current.expires_ns);
        if current.is_some_and(|current| current >= ban.expires_ns) {
            return Ok(());
        }
        if current.is_none() {
            self.filter.add(&key)?;
        }
        if let Err(error) = self.map.insert(key, ban, 0) {
            if current.is_none() {
                self.filter.remove(&key)?;
            }
            return Err(match errno(&error) {
                Some(libc::E2BIG) => ShieldError::BansFull { max: self.max },
                _ => inaccessible(error),
            });
        }
        self.filter.changed()?;
        if let Some(current) = current {
            self.by_expiry.remove(&(current, key));
        }
        self.by_expiry.insert((ban.expires_ns, key));
        self.held.insert(key, ban);
        Ok(())
    }

    /// Lets a source through again; whether it was banned.
    pub(super) fn remove(&mut self, addr: IpAddr, now: u64) -> Result<bool, ShieldError> {
        let key = SourceKey::from_ip(addr, &self.mask);
        match self.held.get(&key).map(|ban| ban.expires_ns) {
            Some(expires_ns) => {
                self.forget(expires_ns, key)?;
                Ok(expires_ns > now)
            }
            None => Ok(false),
        }
    }

    fn forget(&mut self, expires_ns: u64, key: SourceKey) -> Result<(), ShieldError> {
        self.map.remove(&key).map_err(inaccessible)?;
        self.by_expiry.remove(&(expires_ns, key));
        self.held.remove(&key);
        self.filter.remove(&key)
    }

    /// The bans in force, those that expire first first.
    pub(super) fn iter(&self, now: u64) -> impl DoubleEndedIterator<Item = Ban> {
        let in_force = self.by_expiry.iter().filter(move |ban| ban.0 > now);
        in_force.filter_map(move |(_, key)| self.get(key, now))
    }

    /// The ban of a source, if it is banned.
    pub(super) fn of(&self, addr: IpAddr, now: u64) -> Option<Ban> {
        self.get(&SourceKey::from_ip(addr, &self.mask), now)
    }

    fn get(&self, key: &SourceKey, now: u64) -> Option<Ban> {
        let ban = self.held.get(key).filter(|ban| ban.holds(now))?;
        let addr = key.ip();
        Some(Ban {
            addr,
            prefix: match addr.is_ipv4() {
                true => 32,
                false => self.mask.prefix(),
            },
            remaining: Duration::from_nanos(ban.expires_ns - now),
            cause: ban.cause(),
            count: ban.count,
        })
    }

    /// How many are in force. Costs what has expired since the last sweep.
    pub(super) fn count(&self, now: u64) -> usize {
        let expired = self.by_expiry.iter().take_while(|ban| ban.0 <= now);
        self.by_expiry.len() - expired.count()
    }

    /// Removes expired bans, a bounded number; how many.
    pub(super) fn sweep(&mut self, now: u64) -> Result<usize, ShieldError> {
        for count in 0..SWEEP_MAX {
            match self.by_expiry.first().copied() {
                Some((expires_ns, key)) if expires_ns <= now => self.forget(expires_ns, key)?,
                _ => return Ok(count),
            }
        }
        Ok(SWEEP_MAX)
    }

    /// Cuts IPv6 sources differently from now on. A ban follows to a shorter prefix; to a longer
    /// one it cannot, as the rest of the address is not known, and it is lifted.
    pub(super) fn set_mask(&mut self, mask: Ipv6Mask) -> Result<(), ShieldError> {
        let old = std::mem::replace(&mut self.mask, mask);
        if old == mask {
            return Ok(());
        }
        for (expires_ns, key) in self.by_expiry.clone() {
            let addr = key.ip();
            let Some(ban) = self.held.get(&key).copied().filter(|_| addr.is_ipv6()) else {
                continue;
            };
            self.forget(expires_ns, key)?;
            if mask.prefix() < old.prefix() {
                self.extend(SourceKey::from_ip(addr, &mask), ban)?;
            }
        }
        Ok(())
    }
}

fn ban(bytes: &[u8]) -> Option<edge_common::Ban> {
    edge_common::Ban::from_ne_bytes(bytes)
}

fn unreadable(cause: std::io::Error) -> ShieldError {
    ShieldError::Map {
        map: "BANS",
        cause: cause.into(),
    }
}

fn inaccessible(error: MapError) -> ShieldError {
    ShieldError::Map {
        map: "BANS",
        cause: error.into(),
    }
}

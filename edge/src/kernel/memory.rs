//! What is remembered of clients beyond their bans, in maps beside them: so that whoever takes over
//! knows who was banned before, and why an operator has banned somebody.

use std::net::IpAddr;

use aya::maps::{HashMap, IterableMap, MapData, MapError};
use edge_common::{Ipv6Mask, Offender, Reason, SourceKey};

use super::error::errno;
use super::pin::{OldEntries, OldMap};
use super::{ShieldError, sys};

/// The maps, open.
pub(super) struct Memory {
    pub(super) offenders: HashMap<MapData, SourceKey, Offender>,
    pub(super) reasons: HashMap<MapData, SourceKey, Reason>,
}

impl Memory {
    /// Takes over what was remembered in maps of other layouts.
    pub(super) fn carry(
        &mut self,
        offenders: &[OldMap],
        reasons: &[OldMap],
    ) -> Result<(), ShieldError> {
        for (key, value) in all(offenders)? {
            if let (Some(key), Some(value)) = (SourceKey::from_ne_bytes(&key), value.first_chunk())
            {
                put(&mut self.offenders, key, offender(value))?;
            }
        }
        for (key, value) in all(reasons)? {
            if let (Some(key), Some(value)) = (SourceKey::from_ne_bytes(&key), value.first_chunk())
            {
                put(&mut self.reasons, key, Reason::from(*value))?;
            }
        }
        Ok(())
    }

    /// Remembers the past of a client, or forgets it.
    pub(super) fn remember(
        &mut self,
        addr: IpAddr,
        mask: &Ipv6Mask,
        offender: Option<Offender>,
    ) -> Result<(), ShieldError> {
        let key = SourceKey::from_ip(addr, mask);
        match offender {
            Some(offender) => put(&mut self.offenders, key, offender),
            None => forget(&mut self.offenders, &key),
        }
    }

    /// Remembers why a client was banned, or forgets it. When there is no room it is not remembered.
    pub(super) fn explain(
        &mut self,
        addr: IpAddr,
        mask: &Ipv6Mask,
        reason: Option<&str>,
    ) -> Result<(), ShieldError> {
        let key = SourceKey::from_ip(addr, mask);
        match reason {
            Some(reason) => put(&mut self.reasons, key, Reason::new(reason)),
            None => forget(&mut self.reasons, &key),
        }
    }

    /// The clients that were banned before.
    pub(super) fn offenders(&self) -> Result<Vec<(IpAddr, Offender)>, ShieldError> {
        let rows = rows::<{ size_of::<Offender>() }>(self.offenders.map())?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|(key, value)| (key.ip(), offender(&value)))
            .collect())
    }

    /// The reasons that were given.
    pub(super) fn reasons(&self) -> Result<Vec<(IpAddr, String)>, ShieldError> {
        let rows = rows::<{ size_of::<Reason>() }>(self.reasons.map())?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|(key, value)| (key.ip(), Reason::from(value).text().to_owned()))
            .collect())
    }
}

fn all(maps: &[OldMap]) -> Result<OldEntries, ShieldError> {
    let mut found = OldEntries::new();
    for map in maps {
        found.extend(map.entries().map_err(|error| failed(error.into()))?);
    }
    Ok(found)
}

/// The entries of a map, values as they stand there.
fn rows<const N: usize>(map: &MapData) -> Result<Vec<(SourceKey, [u8; N])>, ShieldError> {
    let (keys, values) =
        sys::entries(map.fd(), size_of::<SourceKey>(), N).map_err(|error| failed(error.into()))?;
    let keys = keys.chunks_exact(size_of::<SourceKey>());
    let (values, _) = values.as_chunks::<N>();
    Ok(keys
        .filter_map(SourceKey::from_ne_bytes)
        .zip(values.iter().copied())
        .collect())
}

fn offender(bytes: &[u8; size_of::<Offender>()]) -> Offender {
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_ne_bytes(word)
    };
    Offender::new(u16::from_ne_bytes([bytes[16], bytes[17]]), word(0), word(8))
}

fn put<V: aya::Pod>(
    map: &mut HashMap<MapData, SourceKey, V>,
    key: SourceKey,
    value: V,
) -> Result<(), ShieldError> {
    match map.insert(key, value, 0) {
        // What there is no room for is forgotten with the process.
        Err(error) if errno(&error) != Some(libc::E2BIG) => Err(failed(error.into())),
        _ => Ok(()),
    }
}

fn forget<V: aya::Pod>(
    map: &mut HashMap<MapData, SourceKey, V>,
    key: &SourceKey,
) -> Result<(), ShieldError> {
    match map.remove(key) {
        Err(MapError::KeyNotFound) | Ok(()) => Ok(()),
        Err(error) if errno(&error) == Some(libc::ENOENT) => Ok(()),
        Err(error) => Err(failed(error.into())),
    }
}

fn failed(cause: Box<dyn std::error::Error + Send + Sync>) -> ShieldError {
    ShieldError::Map {
        map: "OFFENDERS, REASONS",
        cause,
    }
}

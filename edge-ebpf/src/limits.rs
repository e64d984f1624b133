//! The limits: per source how many packets and how many connection attempts, and how many of the
//! latter all sources together may make.
//!
//! The source of a packet may be forged, so that the excess is dropped and nothing else happens:
//! banning is left to evidence from finished handshakes. Where the table (`edge_common::table`) is
//! too small for a flood, sources are forgotten and have a fresh burst; nobody is dropped for it.

use core::intrinsics::{AtomicOrdering, atomic_cxchg};

use edge_common::{
    Bucket, CELLS, Cell, Gcra, SHARED_CONNECTIONS, SHARED_VERSIONS, ShieldConfig, ShieldFlags,
    SourceKey, Verdict, bucket, tag,
};

use crate::clock;
use crate::maps::{KNOWN, SOURCES, TOGETHER};
use crate::parse::Opens;

/// Times the state is read again because another CPU changed it between reading and writing. Each
/// of those times a packet of the same source was admitted; who loses so often is over the limit.
const ATTEMPTS_MAX: usize = 8;

/// Counts a packet to a guarded port against its source and, if it asks for a connection, against
/// what all sources may ask for.
#[inline(always)]
pub(crate) fn admit(config: &ShieldConfig, source: &SourceKey, opens: Opens) -> Verdict {
    let own = of_source(config, source, opens);
    if own != Verdict::Passed || opens == Opens::Nothing {
        return own;
    }
    of_all(config, source, opens)
}

#[inline(always)]
fn of_source(config: &ShieldConfig, source: &SourceKey, opens: Opens) -> Verdict {
    let packets = config.flags.any(ShieldFlags::PACKETS);
    let connections = opens == Opens::Connection && config.flags.any(ShieldFlags::CONNECTIONS);
    let initials = opens.is_quic() && config.flags.any(ShieldFlags::INITIALS);
    if !packets && !connections && !initials {
        return Verdict::Passed;
    }
    let hash = source.hash(config.seed);
    let Some(bucket) = SOURCES.get_ptr_mut(bucket(hash)) else {
        return Verdict::Passed; // The index is masked: cannot happen.
    };
    let now = clock::now(config);
    // SAFETY: the kernel returned a whole bucket.
    let cell = unsafe { cell(bucket, tag(hash), now) };

    if packets {
        // SAFETY: a field of a cell is an aligned u64 of the map value.
        let admitted = unsafe { charge(&config.packets, &raw mut (*cell).packets_tat, now) };
        if !admitted {
            return Verdict::PacketRate;
        }
    }
    if connections {
        // SAFETY: as above.
        let admitted =
            unsafe { charge(&config.connections, &raw mut (*cell).connections_tat, now) };
        if !admitted {
            return Verdict::ConnectionRate;
        }
    }
    if initials {
        // SAFETY: as above.
        let admitted = unsafe { charge(&config.initials, &raw mut (*cell).initials_tat, now) };
        if !admitted {
            return Verdict::InitialRate;
        }
    }
    Verdict::Passed
}

/// What is over the ceiling is still let in from sources that have completed a handshake, up to
/// twice the burst: strangers then wait until that is worked off.
#[inline(always)]
fn of_all(config: &ShieldConfig, source: &SourceKey, opens: Opens) -> Verdict {
    if opens == Opens::UnknownVersion && !together(config, SHARED_VERSIONS, &config.versions) {
        return Verdict::QuicVersion;
    }
    if !config.flags.any(ShieldFlags::NEW_CONNECTIONS)
        || together(config, SHARED_CONNECTIONS, &config.new_connections)
    {
        return Verdict::Passed;
    }
    // SAFETY: only whether there is an entry is asked, it is not read.
    let is_known = unsafe { KNOWN.get(source) }.is_some();
    if is_known
        && together(
            config,
            SHARED_CONNECTIONS,
            &config.new_connections.preferred(),
        )
    {
        return Verdict::Passed;
    }
    Verdict::NewConnections
}

/// Takes one admission out of a state that all CPUs share. When there is none it is only read.
#[inline(always)]
fn together(config: &ShieldConfig, index: u32, gcra: &Gcra) -> bool {
    match TOGETHER.get_ptr_mut(index) {
        // SAFETY: the first field of a map value, an aligned u64.
        Some(shared) => unsafe { charge(gcra, &raw mut (*shared).tat, clock::now(config)) },
        None => true, // The index is a constant: cannot happen.
    }
}

/// The cell of a source, taken over if need be.
///
/// Another CPU may take the same cell for another source at the same moment. Then one of them is
/// charged for both, once; its next packet takes a cell of its own.
///
/// # Safety
///
/// `bucket` is a map value.
#[inline(always)]
unsafe fn cell(bucket: *mut Bucket, tag: u64, now: u64) -> *mut Cell {
    let cells = bucket.cast::<Cell>();
    let mut taken = cells;
    let mut taken_until = u64::MAX;
    for i in 0..CELLS {
        // SAFETY: inside the bucket. Volatile because other CPUs write it.
        unsafe {
            let cell = cells.add(i);
            if (&raw const (*cell).tag).read_volatile() == tag {
                return cell;
            }
            let packets_tat = (&raw const (*cell).packets_tat).read_volatile();
            let connections_tat = (&raw const (*cell).connections_tat).read_volatile();
            let initials_tat = (&raw const (*cell).initials_tat).read_volatile();
            let until = packets_tat.max(connections_tat).max(initials_tat);
            if until < taken_until {
                (taken, taken_until) = (cell, until);
            }
        }
    }
    // SAFETY: as above.
    unsafe {
        (&raw mut (*taken).tag).write_volatile(tag);
        if taken_until > now {
            (&raw mut (*taken).packets_tat).write_volatile(0);
            (&raw mut (*taken).connections_tat).write_volatile(0);
            (&raw mut (*taken).initials_tat).write_volatile(0);
        }
    }
    taken
}

/// Takes one admission out of a state, if there is one.
///
/// # Safety
///
/// `tat` is an aligned `u64` of a map value.
#[inline(always)]
unsafe fn charge(gcra: &Gcra, tat: *mut u64, now: u64) -> bool {
    // SAFETY: the caller's promise; volatile because other CPUs write it.
    let mut seen = unsafe { tat.read_volatile() };
    for _ in 0..ATTEMPTS_MAX {
        let Ok(next) = gcra.admit(seen, now) else {
            return false;
        };
        // SAFETY: the caller's promise.
        let (found, swapped) = unsafe {
            atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                tat, seen, next,
            )
        };
        if swapped {
            return true;
        }
        seen = found;
    }
    false
}

//! The limits: per source how many packets and how many connection attempts, and how many of the
//! latter all sources together may make.
//!
//! The source of a packet may be forged, so that the excess is dropped and nothing else happens:
//! banning is left to evidence from finished handshakes. Where the table (`edge_common::table`) is
//! too small for a flood, sources are forgotten and have a fresh burst; nobody is dropped for it.

use core::intrinsics::{AtomicOrdering, atomic_cxchg};

use edge_common::{
    Bucket, CELLS, Gcra, SHARED_CONNECTIONS, SHARED_VERSIONS, ShieldConfig, ShieldFlags, SourceKey,
    Verdict, WrappingGcra, bucket, tag,
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
    // SAFETY: the kernel returned a whole bucket.
    let cell = unsafe { cell(config, bucket, tag(hash)) };

    // SAFETY: `cell` is one of the bucket's, so each of these is an aligned u32 of the map value.
    let (packets_tat, connections_tat, initials_tat) = unsafe {
        (
            (&raw mut (*bucket).packets).cast::<u32>().add(cell),
            (&raw mut (*bucket).connections).cast::<u32>().add(cell),
            (&raw mut (*bucket).initials).cast::<u32>().add(cell),
        )
    };
    // SAFETY: as above; volatile because other CPUs write them.
    let (packets_seen, connections_seen, initials_seen) = unsafe {
        (
            packets_tat.read_volatile(),
            connections_tat.read_volatile(),
            initials_tat.read_volatile(),
        )
    };
    // After the states: see `WrappingGcra::admit`.
    let now = clock::now(config);
    if packets {
        // SAFETY: as above.
        let admitted = unsafe { charge(config, &config.packets, packets_tat, packets_seen, now) };
        if !admitted {
            return Verdict::PacketRate;
        }
    }
    if connections {
        // SAFETY: as above.
        let admitted = unsafe {
            charge(
                config,
                &config.connections,
                connections_tat,
                connections_seen,
                now,
            )
        };
        if !admitted {
            return Verdict::ConnectionRate;
        }
    }
    if initials {
        // SAFETY: as above.
        let admitted =
            unsafe { charge(config, &config.initials, initials_tat, initials_seen, now) };
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
    let Some(shared) = TOGETHER.get_ptr_mut(index) else {
        return true; // The index is a constant: cannot happen.
    };
    let now = clock::now(config);
    // SAFETY: the first field of a map value, an aligned u64.
    let tat = unsafe { &raw mut (*shared).tat };
    // SAFETY: as above; volatile because other CPUs write it.
    let mut seen = unsafe { tat.read_volatile() };
    for _ in 0..ATTEMPTS_MAX {
        let Ok(next) = gcra.admit(seen, now) else {
            return false;
        };
        // SAFETY: as above.
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

/// The cell of a source, taken over if need be.
///
/// Another CPU may take the same cell for another source at the same moment. Then one of them is
/// charged for both, once; its next packet takes a cell of its own.
///
/// # Safety
///
/// `bucket` is a map value.
#[inline(always)]
unsafe fn cell(config: &ShieldConfig, bucket: *mut Bucket, tag: u32) -> usize {
    // SAFETY: inside the bucket. Volatile because other CPUs write it.
    let tags = unsafe { (&raw mut (*bucket).tags).cast::<u32>() };
    for i in 0..CELLS {
        // SAFETY: as above.
        if unsafe { tags.add(i).read_volatile() } == tag {
            return i;
        }
    }
    // SAFETY: the caller's promise.
    unsafe { take_over(config, bucket, tag) }
}

/// Gives the cell that says the least to a source.
///
/// # Safety
///
/// `bucket` is a map value.
#[inline(always)]
unsafe fn take_over(config: &ShieldConfig, bucket: *mut Bucket, tag: u32) -> usize {
    let now = clock::now(config);
    let limits = [&config.packets, &config.connections, &config.initials];
    // SAFETY: fields of the map value, of which the first `CELLS` words are read and written.
    let (tags, states) = unsafe {
        (
            (&raw mut (*bucket).tags).cast::<u32>(),
            [
                (&raw mut (*bucket).packets).cast::<u32>(),
                (&raw mut (*bucket).connections).cast::<u32>(),
                (&raw mut (*bucket).initials).cast::<u32>(),
            ],
        )
    };
    let mut taken = 0;
    let mut least_ns = u64::MAX;
    for i in 0..CELLS {
        // SAFETY: inside the bucket; volatile because other CPUs write it.
        if unsafe { tags.add(i).read_volatile() } == 0 {
            taken = i;
            break;
        }
        let mut left_ns = 0;
        for (state, limit) in states.iter().zip(limits) {
            // SAFETY: as above.
            let tat = unsafe { state.add(i).read_volatile() };
            left_ns = left_ns.max(limit.left_ns(tat, now));
        }
        if left_ns < least_ns {
            (taken, least_ns) = (i, left_ns);
        }
    }
    for (state, limit) in states.iter().zip(limits) {
        // SAFETY: as above.
        unsafe { state.add(taken & (CELLS - 1)).write_volatile(limit.at(now)) };
    }
    // SAFETY: as above. Last: whoever finds the tag finds states that are this source's.
    unsafe { tags.add(taken & (CELLS - 1)).write_volatile(tag) };
    taken & (CELLS - 1)
}

/// Takes one admission out of a state, if there is one: `seen` was read before the clock.
///
/// # Safety
///
/// `state` is an aligned `u32` of a map value.
#[inline(always)]
unsafe fn charge(
    config: &ShieldConfig,
    limit: &WrappingGcra,
    state: *mut u32,
    mut seen: u32,
    mut now: u64,
) -> bool {
    for _ in 0..ATTEMPTS_MAX {
        let Some(next) = limit.admit(seen, now) else {
            return false;
        };
        // SAFETY: the caller's promise.
        let (found, swapped) = unsafe {
            atomic_cxchg::<u32, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                state, seen, next,
            )
        };
        if swapped {
            return true;
        }
        seen = found;
        now = clock::now(config);
    }
    false
}

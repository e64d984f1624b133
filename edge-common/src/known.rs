//! Sources that have completed a handshake, and what everybody together may do.

/// Sources remembered; the least recently used makes room. Memory is taken whole, about 5 MiB.
pub const KNOWN_MAX: u32 = 65_536;

/// What is remembered of a source that has completed a handshake. Only the proxy writes it: a
/// forged packet cannot.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// `CLOCK_MONOTONIC` nanoseconds of the handshake.
    pub since_ns: u64,
}

const _: () = assert!(size_of::<Known>() == 8 && align_of::<Known>() == 8);

/// The state of a limit that all sources share, alone in its cache line.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// See [`Gcra`](crate::Gcra).
    pub tat: u64,
    reserved: [u64; 7],
}

const _: () = assert!(size_of::<Shared>() == 64 && align_of::<Shared>() == 8);

/// Where the state of the limit on new connections is.
pub const SHARED_CONNECTIONS: u32 = 0;

/// Where the state of the limit on unknown QUIC versions is.
pub const SHARED_VERSIONS: u32 = 1;

/// How many there are.
pub const SHARED: u32 = 2;

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: repr(C), one u64, no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::Known {}
    // SAFETY: repr(C), eight u64, no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::Shared {}
}

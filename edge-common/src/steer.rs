//! What the proxy tells the program that picks sockets.

use crate::SteerKey;

/// Sockets of one address: a worker's number is a byte of its connection IDs.
pub const STEER_WORKERS: usize = 256;
/// CPUs that can be told apart; packets on those beyond go by the kernel's hash.
pub const STEER_CPUS: usize = 1024;

/// Whose connection IDs are to be followed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SteerConfig {
    /// Opens connection IDs.
    pub key: SteerKey,
    /// How many workers there are.
    pub workers: u32,
    /// The generation of their sockets.
    pub generation: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<SteerConfig>() == 24 && align_of::<SteerConfig>() == 8);

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: repr(C), only integers inside (the assertion above leaves no room for padding), every
    // bit pattern valid.
    unsafe impl aya::Pod for super::SteerConfig {}
}

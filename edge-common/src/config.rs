//! What the proxy tells the shield: one value, replaced whole.

use crate::{Gcra, Ipv6Mask, WrappingGcra};

/// Configurations there is room for: the one in force and the one being written.
pub const CONFIG_SLOTS: usize = 2;

/// A set of ports: one bit each.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSet([u64; 1024]);

const _: () = assert!(size_of::<PortSet>() == 8192 && align_of::<PortSet>() == 8);

impl PortSet {
    /// No port.
    pub const EMPTY: PortSet = PortSet([0; 1024]);

    /// Adds a port.
    pub const fn insert(&mut self, port: u16) {
        self.0[(port >> 6) as usize] |= 1 << (port & 63);
    }

    /// Whether a port is in the set.
    #[inline(always)]
    pub const fn contains(&self, port: u16) -> bool {
        self.0[(port >> 6) as usize] >> (port & 63) & 1 != 0
    }
}

/// Switches of [`ShieldConfig`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShieldFlags(u64);

impl ShieldFlags {
    /// Packets per source are limited.
    pub const PACKETS: ShieldFlags = ShieldFlags(1);
    /// Connection attempts per source are limited.
    pub const CONNECTIONS: ShieldFlags = ShieldFlags(1 << 1);
    /// A limit is finer than the kernel's tick: read the clock, which is slower.
    pub const PRECISE_CLOCK: ShieldFlags = ShieldFlags(1 << 2);
    /// QUIC Initials per source are limited.
    pub const INITIALS: ShieldFlags = ShieldFlags(1 << 3);
    /// Connection attempts of all sources together are limited.
    pub const NEW_CONNECTIONS: ShieldFlags = ShieldFlags(1 << 4);
    /// The allow list has IPv4 entries.
    pub const ALLOW_V4: ShieldFlags = ShieldFlags(1 << 5);
    /// The allow list has IPv6 entries.
    pub const ALLOW_V6: ShieldFlags = ShieldFlags(1 << 6);
    /// The deny list has IPv4 entries.
    pub const DENY_V4: ShieldFlags = ShieldFlags(1 << 7);
    /// The deny list has IPv6 entries.
    pub const DENY_V6: ShieldFlags = ShieldFlags(1 << 8);
    /// Nobody but the allow list is let in.
    pub const ONLY: ShieldFlags = ShieldFlags(1 << 9);
    /// First fragments to guarded ports are dropped.
    pub const NO_FRAGMENTS: ShieldFlags = ShieldFlags(1 << 10);
    /// Nothing is dropped, what would be is counted apart.
    pub const MONITOR: ShieldFlags = ShieldFlags(1 << 11);

    /// The lists that have entries.
    pub const LISTS: ShieldFlags = ShieldFlags::ALLOW_V4
        .with(ShieldFlags::ALLOW_V6)
        .with(ShieldFlags::DENY_V4)
        .with(ShieldFlags::DENY_V6);

    /// These switches and those.
    pub const fn with(self, other: ShieldFlags) -> ShieldFlags {
        ShieldFlags(self.0 | other.0)
    }

    /// These switches, without those.
    pub const fn without(self, other: ShieldFlags) -> ShieldFlags {
        ShieldFlags(self.0 & !other.0)
    }

    /// Whether any of `other` is on.
    #[inline(always)]
    pub const fn any(self, other: ShieldFlags) -> bool {
        self.0 & other.0 != 0
    }
}

/// The shield's configuration. The default guards nothing and so touches nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShieldConfig {
    /// Packets per source; in force with [`ShieldFlags::PACKETS`].
    pub packets: WrappingGcra,
    /// TCP connection attempts per source; in force with [`ShieldFlags::CONNECTIONS`].
    pub connections: WrappingGcra,
    /// QUIC Initials per source; in force with [`ShieldFlags::INITIALS`].
    pub initials: WrappingGcra,
    /// Connection attempts of all sources; in force with [`ShieldFlags::NEW_CONNECTIONS`].
    pub new_connections: Gcra,
    /// Initials of unknown QUIC versions, of all sources.
    pub versions: Gcra,
    /// Nanoseconds between two ticks of the kernel's `jiffies`.
    pub tick_ns: u64,
    /// Random: makes [`SourceKey::hash`](crate::SourceKey::hash) unpredictable.
    pub seed: u64,
    /// How IPv6 sources are cut.
    pub ipv6_mask: Ipv6Mask,
    /// What is on.
    pub flags: ShieldFlags,
    /// TCP ports that may be touched.
    pub tcp: PortSet,
    /// UDP ports that may be touched.
    pub udp: PortSet,
}

const _: () =
    assert!(size_of::<ShieldConfig>() == 120 + 2 * 8192 && align_of::<ShieldConfig>() == 8);

impl Default for ShieldConfig {
    fn default() -> ShieldConfig {
        ShieldConfig {
            packets: WrappingGcra::default(),
            connections: WrappingGcra::default(),
            initials: WrappingGcra::default(),
            new_connections: Gcra::default(),
            versions: Gcra::default(),
            tick_ns: 0,
            seed: 0,
            ipv6_mask: Ipv6Mask::default(),
            flags: ShieldFlags::default(),
            tcp: PortSet::EMPTY,
            udp: PortSet::EMPTY,
        }
    }
}

/// All that is in the map, one value, so that the program looks it up once. It is written whole:
/// bytes that stay the same may be read meanwhile, so the slot in force does not change and the
/// number changes last.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShieldConfigs {
    /// Which slot is in force.
    pub active: u64,
    /// The slots.
    pub slots: [ShieldConfig; CONFIG_SLOTS],
}

const _: () = assert!(size_of::<ShieldConfigs>() == 8 + CONFIG_SLOTS * size_of::<ShieldConfig>());

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: as below.
    unsafe impl aya::Pod for super::ShieldConfigs {}
    // SAFETY: repr(C), only u64 inside (the assertion above leaves no room for padding), every bit
    // pattern valid.
    unsafe impl aya::Pod for super::ShieldConfig {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_set_holds_what_was_put_in_and_nothing_else() {
        let mut set = PortSet::EMPTY;
        let ports = [0, 1, 63, 64, 443, 8443, 65535];
        ports.into_iter().for_each(|port| set.insert(port));
        for port in 0..=u16::MAX {
            assert_eq!(set.contains(port), ports.contains(&port), "{port}");
        }
    }

    #[test]
    fn flags_combine() {
        let flags = ShieldFlags::PACKETS.with(ShieldFlags::PRECISE_CLOCK);
        assert!(flags.any(ShieldFlags::PACKETS) && flags.any(ShieldFlags::PRECISE_CLOCK));
        assert!(!flags.any(ShieldFlags::CONNECTIONS));
        assert_eq!(
            flags.without(ShieldFlags::PACKETS),
            ShieldFlags::PRECISE_CLOCK
        );
    }
}

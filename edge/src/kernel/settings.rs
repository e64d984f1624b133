//! From the configuration file's terms to the kernel program's.

use std::time::Duration;

use edge_common::{Gcra, Ipv6Mask, ShieldConfig, ShieldFlags};

use super::ShieldError;
use crate::config;

/// A port `edge` listens on. The shield touches packets to these and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GuardedPort {
    /// TCP: HTTP/1.1 and HTTP/2.
    Tcp(u16),
    /// UDP: HTTP/3.
    Udp(u16),
}

/// The kernel's coarse clock stands still for up to 10 ms (at `CONFIG_HZ=100`). A limit whose
/// burst refills in so short a time would starve between ticks, so below twice that the program
/// reads the precise clock.
const COARSE_BURST_MIN: Duration = Duration::from_millis(20);

/// What the kernel program has to know.
pub(super) fn shield_config(
    shield: &config::Shield,
    ports: &[GuardedPort],
) -> Result<ShieldConfig, ShieldError> {
    let mut settings = ShieldConfig {
        ipv6_mask: Ipv6Mask::new(shield.ipv6_prefix)
            .ok_or(ShieldError::OutOfRange { key: "ipv6_prefix" })?,
        ..ShieldConfig::default()
    };
    if let Some(rate) = shield.packets {
        settings.packets = gcra(rate, "packets")?;
        settings.flags = settings.flags.with(ShieldFlags::PACKETS);
    }
    if let Some(rate) = shield.connections {
        settings.connections = gcra(rate, "connections")?;
        settings.flags = settings.flags.with(ShieldFlags::CONNECTIONS);
    }
    let is_fine = |gcra: Gcra| {
        gcra != Gcra::default() && u128::from(gcra.burst_ns()) < COARSE_BURST_MIN.as_nanos()
    };
    if is_fine(settings.packets) || is_fine(settings.connections) {
        settings.flags = settings.flags.with(ShieldFlags::PRECISE_CLOCK);
    }
    for port in ports {
        match *port {
            GuardedPort::Tcp(port) => settings.tcp.insert(port),
            GuardedPort::Udp(port) => settings.udp.insert(port),
        }
    }
    Ok(settings)
}

fn gcra(rate: config::Rate, key: &'static str) -> Result<Gcra, ShieldError> {
    Gcra::new(rate.per_sec, rate.burst).ok_or(ShieldError::OutOfRange { key })
}

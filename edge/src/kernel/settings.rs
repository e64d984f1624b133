//! From the configuration file's terms to the kernel program's.

use nix::time::{ClockId, clock_getres};

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

/// The program counts time in ticks of the kernel. A limit whose burst refills within so few of
/// them would starve between two, so the program reads the clock for it.
const TICKS_MIN: u64 = 4;

/// What the kernel program has to know.
pub(super) fn shield_config(
    shield: &config::Shield,
    ports: &[GuardedPort],
    seed: u64,
) -> Result<ShieldConfig, ShieldError> {
    let tick_ns = tick_ns();
    let mut settings = ShieldConfig {
        tick_ns,
        seed,
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
    let is_fine =
        |gcra: Gcra| gcra != Gcra::default() && gcra.burst_ns() < tick_ns.saturating_mul(TICKS_MIN);
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

/// The length of a tick: the coarse clocks advance once in each.
fn tick_ns() -> u64 {
    let resolution = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE)
        .expect("the coarse clock exists since Linux 2.6.32");
    resolution.tv_nsec() as u64
}

fn gcra(rate: config::Rate, key: &'static str) -> Result<Gcra, ShieldError> {
    Gcra::new(rate.per_sec, rate.burst).ok_or(ShieldError::OutOfRange { key })
}

//! From the configuration file's terms to the kernel program's.

use nix::time::{ClockId, clock_getres};

use edge_common::{Gcra, Ipv6Mask, ShieldConfig, ShieldFlags, WrappingGcra};

use super::ShieldError;
use crate::config::{self, Fragments};

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

/// What the clocks of CPUs may differ by where they are read out of order.
const SLACK_TICKS: u64 = 2;

/// Clients of a version we do not speak are told those we do. Nobody sends many of these, and who
/// forges them has us answer somebody else.
const VERSIONS: config::Rate = config::Rate {
    per_sec: 100.0,
    burst: 200,
};

/// What the kernel program has to know; which lists have entries is not in it.
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
    let mut limit = |rate: Option<config::Rate>, key, flag| {
        let Some(rate) = rate else {
            return Ok(Gcra::default());
        };
        settings.flags = settings.flags.with(flag);
        gcra(rate, key)
    };
    let packets = limit(shield.packets, "packets", ShieldFlags::PACKETS)?;
    let connections = limit(shield.connections, "connections", ShieldFlags::CONNECTIONS)?;
    let initials = limit(shield.initials, "initials", ShieldFlags::INITIALS)?;
    let new_connections = limit(
        shield.new_connections,
        "new_connections",
        ShieldFlags::NEW_CONNECTIONS,
    )?;
    let of_source = |limit: &Gcra, key| {
        let slack_ns = tick_ns.saturating_mul(SLACK_TICKS);
        WrappingGcra::new(limit, slack_ns).ok_or(ShieldError::OutOfRange { key })
    };
    settings.packets = of_source(&packets, "packets")?;
    settings.connections = of_source(&connections, "connections")?;
    settings.initials = of_source(&initials, "initials")?;
    settings.new_connections = new_connections;
    settings.versions = gcra(VERSIONS, "versions")?;

    let is_fine = |gcra: &Gcra| {
        *gcra != Gcra::default() && gcra.burst_ns() < tick_ns.saturating_mul(TICKS_MIN)
    };
    let limits = [packets, connections, initials, new_connections];
    let switches = [
        (limits.iter().any(is_fine), ShieldFlags::PRECISE_CLOCK),
        (
            shield.fragments == Fragments::Drop,
            ShieldFlags::NO_FRAGMENTS,
        ),
        (shield.only, ShieldFlags::ONLY),
        (shield.monitor, ShieldFlags::MONITOR),
    ];
    for (_, flag) in switches.into_iter().filter(|(is_on, _)| *is_on) {
        settings.flags = settings.flags.with(flag);
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

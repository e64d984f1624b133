//! `[bounds]`: sizes and counts nothing may exceed.

use crate::cidr::Cidr;
use crate::config::table::Table;
use crate::config::value::parse_cidr;
use crate::config::{Bounds, PerAddress};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

pub(super) fn read(table: &Table<'_>) -> Bounds {
    // Every bound below fits 32 bits, so these conversions lose nothing.
    let size = |name, default, bounds| table.size(name, default, bounds) as usize;
    let count = |name, default, bounds| table.integer(name, default, bounds);
    Bounds {
        // Browsers and tokens need a few KiB; more than 1 MiB of fields is an attack.
        head_bytes: size("head", 32 * KIB, KIB..=MIB),
        head_fields: count("head_fields", 100, 8..=256) as usize,
        // One TLS record is 16 KiB; a smaller buffer would stall on each.
        buffer_bytes: size("buffer", 64 * KIB, 16 * KIB..=64 * MIB),
        // Shared out among the workers.
        cache_bytes: size("cache", 64 * MIB, 0..=1024 * 1024 * MIB),
        connections: count("connections", 65_536, 1..=1_000_000) as usize,
        streams: count("streams", 128, 1..=10_000) as u32,
        requests_per_connection: count("requests_per_connection", 10_000, 1..=1_000_000_000),
        body_rate: body_rate(table),
    }
}

/// An office behind one address, and a load test of ten thousand streams from one machine; a quarter of
/// what a worker takes.
const PER_ADDRESS_DEFAULT: u64 = 16_384;
const PER_ADDRESS_MOST: u64 = 65_535;

/// The bound per address; `others` are networks that it is not for, beside those it names.
pub(super) fn per_address(table: &Table<'_>, others: &[&[Cidr]]) -> PerAddress {
    let key = "connections_per_address";
    let networks = "a list of networks such as [\"10.0.0.0/8\"]";
    let mut exempt = table.list_of("connections_exempt", networks, parse_cidr);
    exempt.extend(others.iter().copied().flatten());
    PerAddress {
        connections: match table.item(key) {
            Some(item) if item.is("off") => None,
            _ => Some(table.integer(key, PER_ADDRESS_DEFAULT, 1..=PER_ADDRESS_MOST) as u32),
        },
        exempt,
    }
}

/// Slower than any modem there ever was.
const BODY_RATE_DEFAULT: u64 = 100;

fn body_rate(table: &Table<'_>) -> Option<u64> {
    match table.item("body_rate") {
        Some(item) if item.is("off") => None,
        _ => Some(table.size("body_rate", BODY_RATE_DEFAULT, 1..=1024 * MIB)),
    }
}

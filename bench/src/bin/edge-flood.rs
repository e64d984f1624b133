//! A flood of small packets from forged sources, inside test networks.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};
use bench::flood::{Flood, Kind, SECONDS_MAX};
use clap::Parser;

/// Sends small packets from forged sources as fast as one CPU can, to an address of a private or
/// test network, and prints what was sent as JSON. IPv4 sources are of 198.18.0.0/15, IPv6 sources
/// of 2001:2::/48.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The interface that sends.
    #[arg(long)]
    interface: String,
    /// The Ethernet address of the destination, or of the router to it.
    #[arg(long, value_parser = mac)]
    dst_mac: [u8; 6],
    /// The destination.
    #[arg(long)]
    dst: IpAddr,
    /// Its port.
    #[arg(long)]
    port: u16,
    /// How many source addresses take turns.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sources: u32,
    /// What the packets are.
    #[arg(long, value_enum, default_value = "syn")]
    proto: Kind,
    /// How long at most.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    seconds: u64,
    /// How many packets at most.
    #[arg(long)]
    packets: Option<u64>,
    /// How many a second at most; default: as fast as one CPU can.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pps: Option<u64>,
}

fn mac(text: &str) -> Result<[u8; 6]> {
    let bytes: Vec<u8> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<_, _>>()
        .context("not an Ethernet address")?;
    bytes
        .try_into()
        .map_err(|_| anyhow::anyhow!("an Ethernet address has six bytes"))
}

fn main() -> Result<()> {
    let args = Args::parse();
    let flood = Flood {
        interface: args.interface,
        next_hop: args.dst_mac,
        to: SocketAddr::new(args.dst, args.port),
        sources: args.sources,
        kind: args.proto,
        seconds: args.seconds,
        packets: args.packets.unwrap_or(u64::MAX),
        pps: args.pps,
    };
    let report = flood.send()?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

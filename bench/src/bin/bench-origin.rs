//! The stand-in upstream by itself, for measuring by hand.

use std::net::SocketAddr;

use anyhow::Result;
use clap::Parser;

/// A cheap upstream: answers a POST of up to 8 KiB with 1 KiB, and GET /sse?interval_ms= with an
/// event stream.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
}

fn main() -> Result<()> {
    bench::origin::serve(Args::parse().listen)
}

//! The demo upstream: an MCP server and endpoints that behave in ways a proxy must cope with.

use anyhow::Result;
use bench::demo::{self, Listen};
use clap::Parser;

/// A small MCP server to put a proxy in front of.
///
/// Serves Streamable HTTP at /mcp and plain endpoints beside it: /sse, /echo, /headers, /bytes,
/// /slow, /drip, /die and /stats.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where to listen: 127.0.0.1:PORT (0 picks a free one) or unix:/path.
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: Listen,
}

fn main() -> Result<()> {
    let args = Args::parse();
    demo::serve(&args.listen)
}

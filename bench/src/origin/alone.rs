//! The origin as a program of its own.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::server::Origin;
use crate::reactor::Reactor;

/// Serves until killed; prints `listening on http://ADDR` once connections are accepted.
pub fn serve(address: SocketAddr) -> Result<()> {
    let mut reactor = Reactor::new()?;
    let mut origin = Origin::new(0);
    let address = origin
        .bind(address, &reactor)
        .with_context(|| format!("cannot listen on {address}"))?;
    println!("listening on http://{address}");
    let mut ready = Vec::new();
    loop {
        let timeout = origin.tick().unwrap_or(Duration::MAX);
        reactor.wait(timeout, &mut ready)?;
        for token in &ready {
            origin.ready(token.index, &reactor)?;
            origin.flush(token.index, &reactor);
        }
    }
}

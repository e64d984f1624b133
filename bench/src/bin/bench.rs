//! Measurements against peers.

fn main() {}

//! How many connections the open descriptors of the process are enough for.
//!
//! Who accepts clients until none is left has none for the servers that should answer them: every
//! request fails, of the clients that are there as of those to come.

use nix::sys::resource::{Resource, getrlimit};

/// Kept for everything else: rings, listeners, maps, logs, files, the admin socket.
const KEPT: u64 = 48;
/// For each worker, whatever the limit.
const LEAST: u64 = 4;

/// Connections of one worker: as many as are wanted, if there is a descriptor for each of them and
/// for the server that answers it.
pub(super) fn connections(wanted: usize, workers: usize) -> usize {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((limit, _)) => enough_for(limit, wanted, workers),
        Err(_) => wanted,
    }
}

fn enough_for(limit: u64, wanted: usize, workers: usize) -> usize {
    let pairs = limit.saturating_sub(KEPT) / 2 / workers.max(1) as u64;
    usize::try_from(pairs.max(LEAST)).map_or(wanted, |most| wanted.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_left_as_many_as_clients() {
        assert_eq!(enough_for(1 << 20, 65_536, 4), 65_536);
        assert_eq!(enough_for(4096, 65_536, 2), 1012);
        assert_eq!(enough_for(4096, 100, 2), 100);
        assert_eq!(enough_for(10, 65_536, 2), 4);
    }
}

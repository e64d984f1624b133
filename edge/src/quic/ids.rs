//! The connection IDs of one worker.

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::rand;
use edge_common::{CONNECTION_ID_BYTES, Owner, SteerKey};
use quinn::{ConnectionId, ConnectionIdGenerator};
use quinn_proto::InvalidCid;

/// Which sockets the IDs of this process belong to. One that starts after another has the same keys
/// and must not take the other's IDs for its own: they are answered with a stateless reset by
/// whichever worker sees them.
pub static GENERATION: LazyLock<u8> = LazyLock::new(|| {
    let mut random = [0];
    rand::fill(&mut random).expect("the operating system has random numbers");
    random[0]
});

/// Issues IDs that name the worker (`edge_common::SteerKey`).
pub(super) struct Generator {
    pub(super) key: SteerKey,
    pub(super) owner: Owner,
}

impl ConnectionIdGenerator for Generator {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut random = [0; 8];
        rand::fill(&mut random).expect("the operating system has random numbers");
        ConnectionId::new(&self.key.seal(u64::from_le_bytes(random), self.owner))
    }

    /// A packet for a connection that is not there is answered with a stateless reset only if the ID
    /// is one of ours: nobody can be made to receive resets he did not ask for. Where packets do not go by
    /// their IDs, one for another worker may come here, and a reset would tell its sender how to end the
    /// connection that it is for (RFC 9000 §21.11).
    fn validate(&self, cid: &ConnectionId) -> Result<(), InvalidCid> {
        let id = cid[..].try_into().map_err(|_| InvalidCid)?;
        let owner = self.key.open(id).ok_or(InvalidCid)?;
        match owner.generation == self.owner.generation && owner.worker != self.owner.worker {
            true => Err(InvalidCid),
            false => Ok(()),
        }
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generator(worker: u8, generation: u8) -> Generator {
        Generator {
            key: SteerKey([1, 2]),
            owner: Owner { worker, generation },
        }
    }

    #[test]
    fn resets_are_for_connections_that_are_gone() {
        let mine = generator(1, 7).generate_cid();
        assert!(generator(1, 7).validate(&mine).is_ok(), "it is not there");
        assert!(generator(2, 7).validate(&mine).is_err(), "it may be there");
        for worker in [1, 2] {
            let later = generator(worker, 8);
            assert!(later.validate(&mine).is_ok(), "it went with its process");
        }
        let forged = ConnectionId::new(&[0; CONNECTION_ID_BYTES]);
        assert!(generator(1, 7).validate(&forged).is_err());
    }
}

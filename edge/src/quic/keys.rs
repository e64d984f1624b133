//! The secrets that every worker shares: for connection IDs, stateless resets and tokens.
//!
//! They are derived from the private key of the first host that has a certificate, so that they are
//! the same after a restart without being written down anywhere: a client whose connection died with
//! the old process is told so at once by a stateless reset (RFC 9000 §10.3) instead of waiting for
//! its idle timeout, and a token issued before the restart is still good. Nothing can be learnt
//! about the private key from what is derived (RFC 5869 §3.1).

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::{hkdf, hmac, rand};
use edge_common::SteerKey;

use crate::tls::EarlySessions;

/// No key file comes near this.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the salt and labels say is fixed: another text is another set of keys.
const SALT: &[u8] = b"edge quic keys 1";

/// Secrets of all endpoints of this process.
#[derive(Clone)]
pub struct Keys {
    /// Of stateless reset tokens.
    pub(super) reset: Arc<hmac::Key>,
    /// Of the tokens in Retry packets.
    pub(super) token: Arc<hkdf::Prk>,
    /// Of connection IDs.
    pub(super) steer: SteerKey,
    /// Sessions with early data, which outlast a reload like the rest.
    pub(super) sessions: EarlySessions,
}

impl Keys {
    /// Derives them from a private key's file; random ones if it cannot be read.
    pub fn derive(private_key: &Path) -> Keys {
        let mut material = Vec::new();
        let read = std::fs::File::open(private_key)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut material));
        if let Err(error) = read {
            tracing::warn!(%error, "QUIC keys are random: they will not survive a restart");
            material = random().to_vec();
        }
        Keys::from_material(&material)
    }

    fn from_material(material: &[u8]) -> Keys {
        let master = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(material);
        let steer = expand(&master, b"connection id");
        let half = |at: usize| u64::from_le_bytes(steer[at..at + 8].try_into().expect("eight"));
        let token = expand(&master, b"token");
        Keys {
            reset: Arc::new(hmac::Key::new(
                hmac::HMAC_SHA256,
                &expand(&master, b"reset"),
            )),
            token: Arc::new(hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&token)),
            steer: SteerKey([half(0), half(8)]),
            sessions: EarlySessions::new(),
        }
    }

    /// What connection IDs are masked with, for the program that reads them.
    pub fn steer(&self) -> SteerKey {
        self.steer
    }
}

fn expand(master: &hkdf::Prk, label: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    master
        .expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut out))
        .expect("one block of the hash is never too long");
    out
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_file_makes_the_same_keys() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("key.pem");
        std::fs::write(&file, "a key").expect("written");
        let steer = |path: &Path| Keys::derive(path).steer.0;
        assert_eq!(steer(&file), steer(&file));
        std::fs::write(&file, "another").expect("written");
        assert_ne!(steer(&file), Keys::from_material(b"a key").steer.0);
        let missing = dir.path().join("missing");
        assert_ne!(steer(&missing), steer(&missing));
    }
}

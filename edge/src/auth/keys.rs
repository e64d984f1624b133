//! The public keys of an authorization server (RFC 7517).

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;

/// A server has a few keys, old and new; one with more is broken.
const KEYS_MAX: usize = 64;

/// Keys that tokens may be signed with.
pub struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

/// What the server sent is no key set, or holds no key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key that can be used")]
pub struct NoKeys;

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// No keys: what can be said of a token without any is said all the same.
    pub const fn none() -> KeySet {
        KeySet { keys: Vec::new() }
    }

    /// Reads a JWK set. Keys of unknown kinds are passed over (RFC 7517 §5), and so are symmetric
    /// ones: a secret that is published proves nothing.
    pub fn parse(json: &[u8]) -> Result<KeySet, NoKeys> {
        let document: Document = serde_json::from_slice(json).map_err(|_| NoKeys)?;
        let keys: Vec<Key> = document
            .keys
            .into_iter()
            .filter_map(|value| serde_json::from_value::<Jwk>(value).ok())
            .filter_map(|jwk| Key::usable(&jwk))
            .take(KEYS_MAX)
            .collect();
        match keys.is_empty() {
            true => Err(NoKeys),
            false => Ok(KeySet { keys }),
        }
    }

    /// The keys that a token with this header may be signed with.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        self.keys
            .iter()
            .filter(move |key| id.is_none() || key.id.as_deref() == id)
            .filter(move |key| key.key.family().algorithms().contains(&algorithm))
            .filter(move |key| key.algorithm.is_none_or(|only| only == algorithm))
            .map(|key| &key.key)
    }
}

impl Key {
    fn usable(jwk: &Jwk) -> Option<Key> {
        let for_signatures = matches!(
            jwk.common.public_key_use,
            None | Some(PublicKeyUse::Signature)
        );
        if !for_signatures || matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_)) {
            return None;
        }
        // A key that names an algorithm for something else than signatures is passed over.
        let algorithm = match jwk.common.key_algorithm {
            Some(named) => Some(named.to_string().parse().ok()?),
            None => None,
        };
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let public = !matches!(key.family(), AlgorithmFamily::Hmac);
        public.then(|| Key {
            id: jwk.common.key_id.clone(),
            algorithm,
            key,
        })
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.keys.len())
    }
}

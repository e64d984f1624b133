//! The names of API keys, by the SHA-256 of each key.

use std::collections::HashMap;
use std::fmt;

/// Names of keys by their hashes. The keys themselves are not kept.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeyNames(HashMap<[u8; 32], Box<str>>);

impl KeyNames {
    /// Adds a key; `false` when it is there already.
    pub fn add(&mut self, hash: [u8; 32], name: &str) -> bool {
        let is_new = !self.0.contains_key(&hash);
        if is_new {
            self.0.insert(hash, name.into());
        }
        is_new
    }

    /// The name of a key. What the time of this tells is about the hash of what was shown, from
    /// which nobody gets nearer to a key.
    pub fn find(&self, hash: &[u8; 32]) -> Option<&str> {
        self.0.get(hash).map(|name| &**name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for KeyNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

//! Right passwords that one worker remembers: to check one takes a hundred milliseconds.
//!
//! What is kept is a keyed hash of name, password and what the file has for them, so that a changed
//! file needs no forgetting and memory holds nothing of use to anybody.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use aws_lc_rs::rand::{self, SystemRandom};

use crate::config::PasswordHash;

/// Then it is checked again.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);
const REMEMBERED_MAX: usize = 4096;

/// The right passwords of one worker.
pub(in crate::proxy) struct Verified {
    /// `None` without randomness: nothing is remembered then.
    key: Option<Key>,
    until_ns: RefCell<HashMap<[u8; 32], u64>>,
}

impl Default for Verified {
    fn default() -> Self {
        let secret = rand::generate::<[u8; 32]>(&SystemRandom::new());
        let key = secret.map(|secret| Key::new(HMAC_SHA256, &secret.expose()));
        Verified {
            key: key.ok(),
            until_ns: RefCell::default(),
        }
    }
}

impl Verified {
    /// What is remembered of a name and a password that belong to this hash.
    pub(super) fn tag(&self, name: &str, password: &[u8], hash: &PasswordHash) -> Option<[u8; 32]> {
        let mut context = Context::with_key(self.key.as_ref()?);
        let mut add = |part: &[u8]| {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        };
        add(name.as_bytes());
        add(password);
        match hash {
            PasswordHash::Bcrypt(text) => add(text.as_bytes()),
            PasswordHash::Argon2id(hash) => {
                add(&hash.salt);
                add(&hash.tag);
            }
        }
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        Some(tag)
    }

    /// Whether it was right a moment ago.
    pub(super) fn has(&self, tag: &Option<[u8; 32]>, now_ns: u64) -> bool {
        let until_ns = self.until_ns.borrow();
        tag.and_then(|tag| until_ns.get(&tag).copied())
            .is_some_and(|until_ns| until_ns > now_ns)
    }

    /// It is right.
    pub(super) fn remember(&self, tag: Option<[u8; 32]>, now_ns: u64) {
        let Some(tag) = tag else { return };
        let mut until_ns = self.until_ns.borrow_mut();
        if until_ns.len() >= REMEMBERED_MAX {
            until_ns.clear();
        }
        until_ns.insert(tag, now_ns.saturating_add(REMEMBERED.as_nanos() as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_ends_with_its_time_and_with_another_hash() {
        let verified = Verified::default();
        let hash = |text: &str| PasswordHash::Bcrypt(text.into());
        let tag = verified.tag("ann", b"secret", &hash("one"));
        assert!(tag.is_some() && !verified.has(&tag, 0));
        verified.remember(tag, 0);
        let end_ns = REMEMBERED.as_nanos() as u64;
        assert!(verified.has(&tag, end_ns - 1));
        assert!(!verified.has(&tag, end_ns));
        for other in [
            verified.tag("ann", b"secret", &hash("two")),
            verified.tag("anns", b"ecret", &hash("one")),
            verified.tag("ann", b"secre", &hash("tone")),
            Verified::default().tag("ann", b"secret", &hash("one")),
        ] {
            assert!(!verified.has(&other, 0));
        }
        for n in 0..2 * REMEMBERED_MAX {
            verified.remember(verified.tag(&n.to_string(), b"", &hash("")), 0);
            assert!(verified.until_ns.borrow().len() <= REMEMBERED_MAX);
        }
    }
}

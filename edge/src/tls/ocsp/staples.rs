//! The answers that are shown, over reloads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustls_pki_types::CertificateDer;

use super::Validity;
use super::subject::{Subject, fingerprint};

/// An answer that has been believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staple {
    /// As it came.
    pub response: Arc<[u8]>,
    /// How long it may be shown.
    pub validity: Validity,
}

/// Answers by certificate; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Staples(Arc<Mutex<HashMap<[u8; 32], Staple>>>);

impl Staples {
    /// Keeps an answer in place of the one before.
    pub fn put(&self, subject: &Subject, staple: Staple) {
        self.known().insert(*subject.leaf(), staple);
    }

    /// The answer about a certificate.
    pub fn of(&self, subject: &Subject) -> Option<Staple> {
        self.known().get(subject.leaf()).cloned()
    }

    /// What may be shown beside a certificate at `now`.
    pub(in crate::tls) fn current(
        &self,
        certificate: &CertificateDer<'_>,
        now: SystemTime,
    ) -> Option<Vec<u8>> {
        let known = self.known();
        let staple = known.get(&fingerprint(certificate))?;
        (now < staple.validity.next_update).then(|| staple.response.to_vec())
    }

    /// Forgets the answers about certificates that are not among these, and those that have expired;
    /// whether one of the latter is gone.
    pub fn keep<'a>(&self, subjects: impl Iterator<Item = &'a Subject>, now: SystemTime) -> bool {
        let wanted: Vec<&[u8; 32]> = subjects.map(Subject::leaf).collect();
        let mut known = self.known();
        known.retain(|leaf, _| wanted.contains(&leaf));
        let before = known.len();
        known.retain(|_, staple| now < staple.validity.next_update);
        known.len() < before
    }

    fn known(&self) -> MutexGuard<'_, HashMap<[u8; 32], Staple>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

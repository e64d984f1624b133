//! Answers of certificate authorities that are stapled.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::registry::{Metrics, Shared};
use super::{describe, text};

/// The host's first name and the end of each answer.
pub(super) type Answers = Mutex<Vec<(String, SystemTime)>>;

impl Metrics {
    /// Counts a question to an authority.
    pub fn ocsp_fetched(&self, answered: bool) {
        let result = if answered { "ok" } else { "failed" };
        let labels = [("result", result)];
        let counter = self.shared().counter(describe::OCSP_FETCHES, &labels);
        counter.increment(1);
    }

    /// Takes note of the answers that are stapled from now on: the host's first name, and the last
    /// moment of the answer.
    pub fn ocsp_answers(&self, answers: Vec<(String, SystemTime)>) {
        let mut known = self.shared().ocsp.lock();
        *known.as_deref_mut().unwrap_or(&mut Vec::new()) = answers;
    }
}

pub(super) fn render(page: &mut String, shared: &Shared) {
    let answers = shared.ocsp.lock().unwrap_or_else(PoisonError::into_inner);
    if answers.is_empty() {
        return;
    }
    let name = describe::OCSP_NEXT_UPDATE;
    text::head(page, name, "gauge", describe::OCSP_NEXT_UPDATE_HELP);
    for (host, end) in &*answers {
        let since_epoch = end.duration_since(UNIX_EPOCH).unwrap_or_default();
        text::sample(page, name, &[("host", host)], since_epoch.as_secs());
    }
}

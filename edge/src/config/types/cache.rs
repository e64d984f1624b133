//! Answers that a route stores for a while.

use std::time::Duration;

/// What is stored of a route, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRules {
    /// How long answers are fresh that do not say so: first and last status, and the time.
    pub ttl: Vec<(u16, u16, Duration)>,
    /// Fields of requests that make another question, in lower case.
    pub key_headers: Vec<String>,
    /// The longest body that is stored.
    pub object_bytes_max: usize,
    /// How long a stale answer is sent while a new one is fetched.
    pub while_revalidate: Duration,
    /// How long a stale answer is sent where the upstream fails.
    pub if_error: Duration,
    /// How long a request waits for another that asks the same; `None` not at all.
    pub wait: Option<Duration>,
    /// `Cache-Control` of requests is obeyed.
    pub client_directives: bool,
}

impl Default for CacheRules {
    fn default() -> Self {
        CacheRules {
            ttl: Vec::new(),
            key_headers: Vec::new(),
            object_bytes_max: 1024 * 1024,
            while_revalidate: Duration::ZERO,
            if_error: Duration::ZERO,
            wait: Some(Duration::from_secs(5)),
            client_directives: false,
        }
    }
}

impl CacheRules {
    /// How long an answer with this status is fresh that does not say so itself.
    pub fn ttl(&self, status: u16) -> Option<Duration> {
        let mut rules = self.ttl.iter();
        let rule = rules.find(|(first, last, _)| (*first..=*last).contains(&status));
        rule.map(|(_, _, ttl)| *ttl)
    }
}

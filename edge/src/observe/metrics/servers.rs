//! What is known of upstream servers, read when the page is.

use std::sync::{Arc, Mutex, PoisonError};

use super::describe;
use super::text;

/// One server at the moment the page is read.
#[derive(Clone, Debug)]
pub struct ServerSample {
    /// The name of its group.
    pub upstream: String,
    /// Its address.
    pub server: String,
    /// Requests go to it.
    pub up: bool,
    /// Failed requests have taken it out for a while.
    pub ejected: bool,
    /// Health checks passed.
    pub checks_passed: u64,
    /// Health checks failed.
    pub checks_failed: u64,
    /// Requests under way.
    pub in_flight: usize,
}

/// Where the samples come from: whoever knows the servers of the configuration in force.
pub type ServerSource = Arc<dyn Fn() -> Vec<ServerSample> + Send + Sync>;

/// The source of the configuration in force.
#[derive(Default)]
pub(super) struct Servers(Mutex<Option<ServerSource>>);

impl Servers {
    pub(super) fn set(&self, source: ServerSource) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
    }

    pub(super) fn render(&self, page: &mut String) {
        let source = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let samples = source.map_or_else(Vec::new, |source| source());
        if samples.is_empty() {
            return;
        }
        type Value = fn(&ServerSample) -> u64;
        let gauges: [(&str, &str, Value); 3] = [
            (
                describe::SERVER_UP,
                "Whether requests go to an upstream server: 1 yes, 0 it is down or ejected.",
                |sample| u64::from(sample.up),
            ),
            (
                describe::SERVER_EJECTED,
                "Whether failed requests have taken an upstream server out for a while.",
                |sample| u64::from(sample.ejected),
            ),
            (
                describe::SERVER_IN_FLIGHT,
                "Requests under way on an upstream server.",
                |sample| sample.in_flight as u64,
            ),
        ];
        for (name, help, value) in gauges {
            text::head(page, name, "gauge", help);
            for sample in &samples {
                let labels = [("upstream", &*sample.upstream), ("server", &*sample.server)];
                text::sample(page, name, &labels, value(sample));
            }
        }
        let name = describe::SERVER_CHECKS;
        let help = "Health checks of an upstream server, by what they said.";
        text::head(page, name, "counter", help);
        for sample in &samples {
            for (result, count) in [
                ("passed", sample.checks_passed),
                ("failed", sample.checks_failed),
            ] {
                let labels = [
                    ("upstream", &*sample.upstream),
                    ("server", &*sample.server),
                    ("result", result),
                ];
                text::sample(page, name, &labels, count);
            }
        }
    }
}

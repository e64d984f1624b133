//! Requests in early data (RFC 8470): anybody who has seen them can send them again until the
//! handshake is complete, and their sender need not be where they seem to come from.

use std::cell::Cell;

use http::Method;
use tokio::sync::Notify;

use crate::message::{Name, RequestHead};
use crate::proxy::Proxy;

/// Whether the client has shown that it is there now, and word of it.
#[derive(Default)]
pub(super) struct Established {
    outcome: Cell<Option<bool>>,
    told: Notify,
}

impl Established {
    /// The handshake is over: whether it is complete, or nothing will come of it.
    pub(super) fn set(&self, is_complete: bool) {
        self.outcome.set(Some(is_complete));
        self.told.notify_waiters();
    }

    /// Whether it is complete.
    pub(super) fn is_set(&self) -> bool {
        self.outcome.get() == Some(true)
    }

    /// Waits until it is; false when it never will be.
    pub(super) async fn wait(&self) -> bool {
        let told = self.told.notified();
        if self.outcome.get().is_none() {
            told.await;
        }
        self.is_set()
    }

    /// Whether a request in early data goes on: one that changes nothing does at once on a route
    /// that takes such, marked for the upstream, which may answer 425 (§5.1); any other waits until
    /// nobody can have replayed it.
    pub(super) async fn admit(&self, head: &mut RequestHead, proxy: &Proxy) -> bool {
        let safe = matches!(head.method, Method::GET | Method::HEAD);
        if self.is_set() || !safe || head.upgrade.is_some() || !proxy.takes_early_data(head) {
            return self.wait().await;
        }
        head.fields.set(Name::EarlyData, b"1");
        true
    }
}

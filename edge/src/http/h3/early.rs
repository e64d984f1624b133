//! Requests in early data (RFC 8470): anybody who has seen them can send them again until the
//! handshake is complete.

use std::cell::Cell;

use http::Method;
use tokio::sync::Notify;

use crate::message::{Name, RequestHead};
use crate::proxy::Proxy;

/// Whether the client has shown that it is there now, and word of it.
#[derive(Default)]
pub(super) struct Established {
    done: Cell<bool>,
    told: Notify,
}

impl Established {
    /// The handshake is complete.
    pub(super) fn set(&self) {
        self.done.set(true);
        self.told.notify_waiters();
    }

    /// Whether it is.
    pub(super) fn is_set(&self) -> bool {
        self.done.get()
    }

    /// Completes once it is.
    pub(super) async fn wait(&self) {
        let told = self.told.notified();
        if !self.done.get() {
            told.await;
        }
    }

    /// What becomes of a request in early data: one that changes nothing goes on at once on a route
    /// that takes such, marked for the upstream, which may answer 425 (§5.1); any other waits until
    /// nobody can have replayed it.
    pub(super) async fn admit(&self, head: &mut RequestHead, proxy: &Proxy) {
        if self.done.get() {
            return;
        }
        let safe = matches!(head.method, Method::GET | Method::HEAD);
        match safe && head.upgrade.is_none() && proxy.takes_early_data(head) {
            true => head.fields.set(Name::EarlyData, b"1"),
            false => self.wait().await,
        }
    }
}

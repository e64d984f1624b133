//! What is known of clients beyond their bans, and is to be known after a restart.
//!
//! It is kept here and, in the same breath, where the bans are: whoever takes them over takes it over
//! as well, however this process ended.

use std::collections::HashMap;

use edge_common::REASONS_MAX;

use super::controller::{Controller, nanos};
use super::guard::Guard;
use crate::clock::monotonic_ns;
use crate::config::Config;
use crate::kernel::BanCause;
use crate::limit::{ClientKey, Offenders};
use crate::observe::admin::one_line;

/// The past bans of an earlier run, so that the next one of the same client is longer.
pub(super) fn offenders(guard: Option<&dyn Guard>, config: &Config) -> Offenders {
    let mut offenders = Offenders::default();
    let (Some(guard), Some(penalty)) = (guard, &config.penalty) else {
        return offenders;
    };
    let client = |addr| ClientKey::from_ip(addr, config.shield.ipv6_prefix);
    let now = monotonic_ns();
    // Of a version that kept nothing else there are the bans.
    for ban in guard.bans() {
        if !matches!(ban.cause, BanCause::Admin | BanCause::Import) {
            let until = now.saturating_add(nanos(ban.remaining));
            offenders.record(client(ban.addr), ban.count, until, penalty.forget);
        }
    }
    match guard.remembered() {
        Ok(past) => past.into_iter().for_each(|(addr, past)| {
            offenders.insert(client(addr), past);
        }),
        Err(error) => tracing::warn!(%error, "who was banned before is forgotten"),
    }
    offenders
}

/// The reasons that an earlier run was given, of bans that stand.
pub(super) fn notes(guard: Option<&dyn Guard>, ipv6_prefix: u8) -> HashMap<ClientKey, Box<str>> {
    let Some(guard) = guard else {
        return HashMap::new();
    };
    match guard.explained() {
        Ok(reasons) => reasons
            .into_iter()
            // Another version may have kept more than a line.
            .map(|(addr, reason)| {
                let client = ClientKey::from_ip(addr, ipv6_prefix);
                (client, one_line(&reason).into())
            })
            .collect(),
        Err(error) => {
            tracing::warn!(%error, "why operators have banned somebody is forgotten");
            HashMap::new()
        }
    }
}

impl Controller {
    /// Keeps what is known of clients now.
    pub(super) fn keep_pasts<'a>(&mut self, clients: impl IntoIterator<Item = &'a ClientKey>) {
        for client in clients {
            self.keep_past(client);
        }
    }

    /// Keeps what is known of a client now.
    pub(super) fn keep_past(&mut self, client: &ClientKey) {
        let past = self.offenders.past(client);
        let kept = self
            .guard
            .as_mut()
            .map(|guard| guard.remember(client.address(), past));
        if let Some(Err(error)) = kept {
            self.report(&error);
        }
    }

    /// Remembers why a client was banned, unless too many reasons are remembered.
    pub(super) fn note(&mut self, client: ClientKey, reason: &str) {
        if self.notes.len() >= REASONS_MAX as usize && !self.notes.contains_key(&client) {
            return;
        }
        self.notes.insert(client, reason.into());
        self.keep_note(&client, Some(reason));
    }

    /// Forgets why a client was banned.
    pub(super) fn forget_note(&mut self, client: &ClientKey) {
        if self.notes.remove(client).is_some() {
            self.keep_note(client, None);
        }
    }

    /// Forgets the reasons of bans that are over.
    pub(super) fn forget_notes(&mut self) {
        let Some(guard) = &self.guard else { return };
        let is_over = |client: &&ClientKey| guard.ban_of(client.address()).is_none();
        let over: Vec<ClientKey> = self.notes.keys().filter(is_over).copied().collect();
        for client in over {
            self.forget_note(&client);
        }
    }

    fn keep_note(&mut self, client: &ClientKey, reason: Option<&str>) {
        let kept = self
            .guard
            .as_mut()
            .map(|guard| guard.explain(client.address(), reason));
        if let Some(Err(error)) = kept {
            self.report(&error);
        }
    }
}

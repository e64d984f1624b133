//! The control loop's state: who is asked what, and what is answered.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::bans::{BanRequest, BanSender};
use super::guard::{Counts, Guard, GuardError};
use super::memory;
use super::protected::Protected;
use super::reports::Reports;
use crate::cidr::ListUse;
use crate::clock::monotonic_ns;
use crate::config::{Config, ShieldMode};
use crate::kernel::{BanCause, LinkChange};
use crate::limit::{ClientKey, Expelled, Offenders, Sentence, Spared};
use crate::observe::admin::{Call, Request};
use crate::observe::metrics::{BanOrigin, Metrics, Scrape, ShieldLink, ShieldVerdict};
use crate::proxy::{Snapshot, Switches};
use crate::server::reload::Job;

/// What stands for an interface or a mode that there is not.
const NONE: &str = "none";
/// How long a worker's wish to ban an address that must stay reachable is passed over.
const PROTECTED_PAUSE_NS: u64 = 60_000_000_000;

/// Another configuration is in force.
pub struct Configured {
    /// The configuration.
    pub snapshot: Arc<Snapshot>,
    /// Where it is said what of it could not be taken over.
    pub done: oneshot::Sender<Vec<String>>,
}

/// Everything the control loop acts on.
pub(super) struct Controller {
    metrics: Metrics,
    pub(super) guard: Option<Box<dyn Guard>>,
    pub(super) offenders: Offenders,
    pub(super) protected: Protected,
    pub(super) switches: Switches,
    pub(super) reports: Reports,
    /// What operators gave as the reason of their bans.
    pub(super) notes: HashMap<ClientKey, Box<str>>,
    pub(super) ipv6_prefix: u8,
    /// Interfaces that should be protected; empty when the shield is switched off.
    wanted: Vec<String>,
    /// What the page shows for a mode without one: whether that is by choice.
    unattached: &'static str,
    pub(super) workers: usize,
    pub(super) started_ns: u64,
    bans: BanSender,
    access_log_dropped: Arc<AtomicU64>,
    /// Where requests to reload go.
    jobs: SyncSender<Job>,
    /// Whose connections the workers close.
    pub(super) expelled: Expelled,
    /// The kernel program refused something and that has been reported.
    failing: bool,
}

impl Controller {
    pub(super) fn new(
        config: &Config,
        metrics: Metrics,
        guard: Option<Box<dyn Guard>>,
        bans: BanSender,
        access_log_dropped: Arc<AtomicU64>,
        jobs: SyncSender<Job>,
        (spared, expelled, switches): (Spared, Expelled, Switches),
    ) -> Controller {
        let wanted = match (&config.shield.mode, &*config.shield.interfaces) {
            // That of the default route was wanted, whichever it is.
            (ShieldMode::Off, _) | (_, []) => vec![NONE.to_owned()],
            (_, interfaces) => interfaces.to_vec(),
        };
        Controller {
            metrics,
            offenders: memory::offenders(guard.as_deref(), config),
            notes: memory::notes(guard.as_deref(), config.shield.ipv6_prefix),
            guard,
            protected: Protected::new(spared),
            switches,
            reports: Reports::default(),
            ipv6_prefix: config.shield.ipv6_prefix,
            wanted,
            unattached: match config.shield.mode {
                ShieldMode::Off => "off",
                _ => NONE,
            },
            workers: config.workers,
            started_ns: monotonic_ns(),
            bans,
            access_log_dropped,
            jobs,
            expelled,
            failing: false,
        }
    }

    /// Enters a ban that a worker asked for.
    pub(super) fn ban_from_worker(&mut self, request: BanRequest) {
        let BanRequest {
            addr,
            offence,
            penalty,
        } = request;
        let (now, cause) = (monotonic_ns(), offence.cause());
        let client = ClientKey::from_ip(addr, self.ipv6_prefix);
        let Some(sentence) = self.offenders.sentence(&client, &penalty, now) else {
            return; // It stands already.
        };
        let Sentence { duration, count } = sentence;
        let network = (client.address(), self.prefix(addr));
        if let Some(why) = self.protected.why(network, None, now) {
            tracing::warn!(%addr, reason = cause.name(), why, "not banned");
            let until = now.saturating_add(PROTECTED_PAUSE_NS);
            // Not kept for the next run: nothing was done.
            self.offenders.record(client, 0, until, Duration::ZERO);
            return;
        }
        match self.ban(addr, duration, cause, count) {
            None => tracing::debug!(%addr, reason = cause.name(), "not banned: the shield is off"),
            Some(Ok(())) => {
                let (secs, origin) = (duration.as_secs(), cause.origin());
                tracing::info!(%addr, secs, origin, reason = cause.name(), count, "banned");
                let until = now.saturating_add(nanos(duration));
                let forgotten = self.offenders.record(client, count, until, penalty.forget);
                self.keep_past(&client);
                self.keep_pasts(&forgotten);
            }
            Some(Err(error)) => self.report(&error),
        }
    }

    /// Remembers who has completed a handshake.
    pub(super) fn known_good(&mut self, addrs: &[IpAddr]) {
        let Some(guard) = &mut self.guard else { return };
        let failed = addrs.iter().find_map(|&addr| guard.known_good(addr).err());
        if let Some(error) = failed {
            self.report(&error);
        }
    }

    /// Takes samples of what was dropped.
    pub(super) fn take_evidence(&mut self) {
        if let Some(guard) = &mut self.guard {
            let evidence = guard.evidence();
            self.reports.take(&evidence, monotonic_ns());
        }
    }

    /// Looks at the interfaces, because something about them has changed.
    pub(super) fn follow_interfaces(&mut self) {
        self.protected.look(monotonic_ns());
        let Some(guard) = &mut self.guard else { return };
        let changes = guard.follow_interfaces();
        for change in changes {
            match change {
                LinkChange::Gone(interface) => {
                    tracing::warn!(
                        interface,
                        "an interface of the shield is gone, waiting for it"
                    );
                }
                LinkChange::Attached(interface) => {
                    let mode = self
                        .links()
                        .into_iter()
                        .find(|link| link.interface == interface);
                    let mode = mode.map_or(NONE, |link| link.mode);
                    tracing::info!(interface, mode, "shield attached");
                }
                LinkChange::Failed(interface, error) => {
                    tracing::error!(interface, error, "AN INTERFACE IS UNPROTECTED");
                }
            }
        }
    }

    /// Writes a slice of what changed in the lists; whether there is more.
    pub(super) fn sync_lists(&mut self) -> bool {
        match self.guard.as_mut().map(|guard| guard.sync_lists()) {
            Some(Ok(true)) => return true,
            Some(Ok(false)) => self.warn_about_lists(),
            Some(Err(error)) => self.report(&error),
            None => {}
        }
        false
    }

    /// Says loudly when the lists shut out what must stay reachable: a configuration is taken as it
    /// is written.
    pub(super) fn warn_about_lists(&mut self) {
        let Some(guard) = &self.guard else { return };
        for addr in self.protected.addresses(monotonic_ns()) {
            if let Some(network) = guard.listed(ListUse::Deny, addr)
                && guard.listed(ListUse::Allow, addr).is_none()
            {
                tracing::error!(%addr, %network, "THE DENY LIST HOLDS THIS MACHINE OR ITS GATEWAY");
            }
        }
    }

    pub(super) fn prefix(&self, addr: IpAddr) -> u8 {
        match addr.to_canonical().is_ipv4() {
            true => 32,
            false => self.ipv6_prefix,
        }
    }

    /// Takes over another configuration.
    pub(super) fn configure(&mut self, configured: Configured) {
        let config = &configured.snapshot.config;
        self.ipv6_prefix = config.shield.ipv6_prefix;
        let refused = match &mut self.guard {
            Some(guard) => guard.apply(config).err().map(|error| error.to_string()),
            None if config.shield.mode != ShieldMode::Off && self.unattached == "off" => {
                Some("shield.mode takes effect with a restart".to_owned())
            }
            None => None,
        };
        // Whoever asked may have stopped waiting.
        let _ = configured.done.send(refused.into_iter().collect());
    }

    /// Answers a request from the admin socket.
    pub(super) fn answer(&mut self, call: Call) {
        if call.request == Request::Reload {
            tracing::info!(uid = call.uid, "reload asked for");
            if let Err(TrySendError::Full(Job::Reload(Some(answer)))) =
                self.jobs.try_send(Job::Reload(Some(call.answer)))
            {
                let _ = answer.send(Err("a reload is under way already".into()));
            }
            return;
        }
        let answer = self.answer_to(&call.request, call.uid);
        // A client that left has no use for the answer.
        let _ = call.answer.send(answer);
    }

    /// `None` when there is no kernel program to ban with.
    pub(super) fn ban(
        &mut self,
        addr: IpAddr,
        duration: Duration,
        cause: BanCause,
        count: u16,
    ) -> Option<Result<(), GuardError>> {
        let banned = self.guard.as_mut()?.ban(addr, duration, cause, count);
        if banned.is_ok() {
            self.failing = false;
            self.metrics.banned(BanOrigin::of(cause));
            let client = ClientKey::from_ip(addr, self.ipv6_prefix);
            self.expelled.add(&client, monotonic_ns());
        }
        Some(banned)
    }

    /// Clears expired bans out of the kernel's table, and forgets those long past.
    pub(super) fn sweep(&mut self) {
        self.expelled.sweep(monotonic_ns());
        let forgotten = self.offenders.sweep(monotonic_ns());
        self.keep_pasts(&forgotten);
        let Some(guard) = &mut self.guard else { return };
        let swept = guard.sweep();
        if matches!(swept, Ok(bans) if bans > 0) {
            self.forget_notes();
        }
        match swept {
            Ok(0) => {}
            Ok(bans) => tracing::debug!(bans, "bans expired"),
            Err(error) => self.report(&error),
        }
    }

    /// The metrics page.
    pub(super) fn page(&self) -> String {
        let verdicts = match self.guard.as_ref().map(|guard| guard.verdicts()) {
            Some(Ok(verdicts)) => verdicts,
            Some(Err(error)) => {
                tracing::warn!(%error, "the shield's counters cannot be read");
                Vec::new()
            }
            None => Vec::new(),
        };
        let guard = self.guard.as_deref();
        let watched = guard.and_then(|guard| guard.watched().ok());
        let counters = |counts: Counts| {
            let counter = |(verdict, family, packets)| ShieldVerdict {
                verdict,
                family,
                packets,
            };
            counts.into_iter().map(counter).collect()
        };
        self.metrics.render(&Scrape {
            access_log_dropped: self.access_log_dropped.load(Ordering::Relaxed),
            ban_requests_dropped: self.bans.dropped(),
            shield: self.links(),
            verdicts: counters(verdicts),
            watched: counters(watched.unwrap_or_default()),
            samples_lost: guard.and_then(|guard| guard.evidence_lost().ok()),
            bans: guard.map(|guard| guard.ban_count()),
        })
    }

    pub(super) fn links(&self) -> Vec<ShieldLink> {
        match &self.guard {
            Some(guard) => {
                let links = guard.links().into_iter();
                links
                    .map(|link| ShieldLink {
                        interface: link.interface,
                        mode: link.mode,
                        attached: link.is_attached,
                    })
                    .collect()
            }
            None => {
                let wanted = self.wanted.iter();
                wanted
                    .map(|interface| ShieldLink {
                        interface: interface.clone(),
                        mode: self.unattached,
                        attached: false,
                    })
                    .collect()
            }
        }
    }

    /// Says what stays in force when the process has ended.
    pub(super) fn say_goodbye(&self) {
        if let Some(pin) = self.guard.as_ref().and_then(|guard| guard.stays_at()) {
            let pin = pin.display();
            tracing::info!(
                "the shield and its bans stay in force; `edge shield detach --pin {pin}` removes them"
            );
        }
    }

    /// Logs the first of a row of failures: a full table would fill the log as well.
    pub(super) fn report(&mut self, error: &GuardError) {
        if !self.failing {
            tracing::warn!(%error, "the shield refused a change");
        }
        self.failing = true;
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

//! The control loop's state: who is asked what, and what is answered.

use std::net::IpAddr;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::bans::{BanRequest, BanSender};
use super::guard::{Guard, GuardError};
use crate::clock::monotonic_ns;
use crate::config::{Config, ShieldMode};
use crate::observe::admin::{Answer, Ban, Banned, Call, Request, ShieldStatus, Status, Unbanned};
use crate::observe::metrics::{BanOrigin, Metrics, Scrape, ShieldLink, ShieldVerdict};
use crate::proxy::Snapshot;
use crate::server::reload::Job;

/// What stands for an interface or a mode that there is not.
const NONE: &str = "none";
const NO_SHIELD: &str = "the shield is off: there is no kernel program to ban with";

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
    guard: Option<Box<dyn Guard>>,
    /// Interfaces that should be protected; empty when the shield is switched off.
    wanted: Vec<String>,
    /// What the page shows for a mode without one: whether that is by choice.
    unattached: &'static str,
    workers: usize,
    started_ns: u64,
    bans: BanSender,
    access_log_dropped: Arc<AtomicU64>,
    /// Where requests to reload go.
    jobs: SyncSender<Job>,
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
    ) -> Controller {
        let wanted = match (&config.shield.mode, &*config.shield.interfaces) {
            // That of the default route was wanted, whichever it is.
            (ShieldMode::Off, _) | (_, []) => vec![NONE.to_owned()],
            (_, interfaces) => interfaces.to_vec(),
        };
        Controller {
            metrics,
            guard,
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
            failing: false,
        }
    }

    /// Enters a ban that a worker asked for.
    pub(super) fn ban_from_worker(&mut self, request: BanRequest) {
        let BanRequest {
            addr,
            duration,
            reason,
        } = request;
        match self.ban(addr, duration, BanOrigin::Limit) {
            None => tracing::debug!(%addr, reason, "not banned: the shield is off"),
            Some(Ok(())) => {
                let secs = duration.as_secs();
                tracing::info!(%addr, secs, origin = "limit", reason, "banned");
            }
            Some(Err(error)) => self.report(&error),
        }
    }

    /// Takes over another configuration.
    pub(super) fn configure(&mut self, configured: Configured) {
        let config = &configured.snapshot.config;
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

    fn answer_to(&mut self, request: &Request, uid: Option<u32>) -> Result<Answer, String> {
        match *request {
            Request::Ban {
                addr,
                for_ms,
                ref reason,
            } => {
                let duration = Duration::from_millis(for_ms);
                self.ban(addr, duration, BanOrigin::Admin)
                    .ok_or(NO_SHIELD)?
                    .map_err(|error| error.to_string())?;
                let secs = duration.as_secs();
                tracing::info!(%addr, secs, origin = "admin", uid, reason, "banned");
                Ok(Answer::Banned(Banned { addr, for_ms }))
            }
            Request::Unban { addr } => {
                let guard = self.guard.as_mut().ok_or(NO_SHIELD)?;
                let was_banned = guard.unban(addr).map_err(|error| error.to_string())?;
                tracing::info!(%addr, was_banned, uid, "unbanned");
                Ok(Answer::Unbanned(Unbanned { was_banned }))
            }
            Request::Bans => {
                let guard = self.guard.as_ref().ok_or(NO_SHIELD)?;
                let bans = guard.bans().into_iter().map(|(addr, remaining)| Ban {
                    addr,
                    remaining_ms: remaining.as_millis() as u64,
                });
                Ok(Answer::Bans(bans.collect()))
            }
            Request::Status => Ok(Answer::Status(self.status())),
            Request::Reload => Err("a reload is answered elsewhere".into()),
        }
    }

    /// `None` when there is no kernel program to ban with.
    fn ban(
        &mut self,
        addr: IpAddr,
        duration: Duration,
        origin: BanOrigin,
    ) -> Option<Result<(), GuardError>> {
        let banned = self.guard.as_mut()?.ban(addr, duration);
        if banned.is_ok() {
            self.failing = false;
            self.metrics.banned(origin);
        }
        Some(banned)
    }

    /// Clears expired bans out of the kernel's table.
    pub(super) fn sweep(&mut self) {
        let Some(guard) = &mut self.guard else { return };
        match guard.sweep() {
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
        let verdicts = verdicts.into_iter();
        self.metrics.render(&Scrape {
            access_log_dropped: self.access_log_dropped.load(Ordering::Relaxed),
            ban_requests_dropped: self.bans.dropped(),
            shield: self.links(),
            verdicts: verdicts
                .map(|(verdict, family, packets)| ShieldVerdict {
                    verdict,
                    family,
                    packets,
                })
                .collect(),
        })
    }

    fn status(&self) -> Status {
        let links = self.links().into_iter();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: process::id(),
            uptime_secs: (monotonic_ns() - self.started_ns) / 1_000_000_000,
            workers: self.workers,
            shield: links
                .map(|link| ShieldStatus {
                    interface: link.interface,
                    mode: link.mode.to_owned(),
                    attached: link.attached,
                })
                .collect(),
        }
    }

    fn links(&self) -> Vec<ShieldLink> {
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
    fn report(&mut self, error: &GuardError) {
        if !self.failing {
            tracing::warn!(%error, "the shield refused a change");
        }
        self.failing = true;
    }
}

//! From a changed file to workers that serve it.

use std::path::PathBuf;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};

use super::changes;
use super::watch::Watch;
use crate::clock::monotonic_ns;
use crate::config::{Config, ConfigErrors, Diagnostic, LogTarget};
use crate::observe::access::{AccessOutput, AccessTarget};
use crate::observe::admin::Reloaded;
use crate::observe::metrics::Metrics;
use crate::observe::trace::SpanOutput;
use crate::quic::Keys;
use crate::server::Error;
use crate::server::control::Configured;
use crate::server::keeper::{Handed, Keeper};
use crate::server::listen::deal;
use crate::server::load::{load, with_causes};
use crate::server::steer::Steering;
use crate::server::update::{Endpoint, ListenSocket, Serving, Update};
use crate::tls::{self, Tickets};

/// For one more worker to take over, which needs one turn of its loop.
const WORKER_WAIT: Duration = Duration::from_secs(5);

/// Between two warnings about the same certificate.
const WARN_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// What it takes to reload.
pub(in crate::server) struct Reloader {
    /// The file that was named at the start.
    pub(in crate::server) path: PathBuf,
    pub(in crate::server) keeper: Keeper,
    pub(in crate::server) tickets: Tickets,
    pub(in crate::server) log: AccessOutput,
    pub(in crate::server) spans: SpanOutput,
    /// Stay as they are, for connection IDs and tokens that are out there.
    pub(in crate::server) keys: Option<Keys>,
    /// How new sockets are dealt packets.
    pub(in crate::server) steering: Steering,
    pub(in crate::server) metrics: Metrics,
    pub(in crate::server) watch: Watch,
    /// When warnings about certificates were last repeated.
    pub(in crate::server) warned_ns: u64,
    /// What is in force.
    pub(in crate::server) serving: Serving,
    pub(in crate::server) workers: Vec<mpsc::Sender<Update>>,
    pub(in crate::server) control: mpsc::Sender<Configured>,
}

/// Something else to serve, checked, with its new sockets for each worker.
struct Prepared {
    serving: Serving,
    watch: Watch,
    sockets: Vec<Vec<ListenSocket>>,
    /// When the certificates end.
    certificates: Vec<(String, SystemTime)>,
    /// If it goes elsewhere.
    log: Option<AccessTarget>,
    warnings: Vec<String>,
}

impl Reloader {
    /// Reads the configuration anew and puts it in force, or changes nothing and says why.
    pub(super) fn reload(&mut self) -> Reloaded {
        match self.prepare() {
            Ok(prepared) => {
                let mut warnings = prepared.warnings;
                self.serving = prepared.serving;
                self.watch = prepared.watch;
                self.metrics.certificates(prepared.certificates);
                if let Some(log) = prepared.log {
                    self.log.set(log);
                }
                let trace = self.serving.snapshot.config.trace.as_ref();
                self.spans.set(trace);
                warnings.extend(self.tell_workers(prepared.sockets));
                warnings.extend(self.tell_control());
                Reloaded {
                    errors: Vec::new(),
                    warnings,
                }
            }
            Err(errors) => Reloaded {
                errors,
                warnings: Vec::new(),
            },
        }
    }

    /// Everything that can fail; nothing has changed when it does.
    fn prepare(&self) -> Result<Prepared, Vec<String>> {
        let cannot = |error: &(dyn std::error::Error + 'static)| vec![with_causes(error)];
        let files = self.keeper.files().map_err(|error| cannot(&error))?;
        let (mut config, warnings) = load(&self.path, &files).map_err(|errors| shown(&errors))?;
        let mut warnings: Vec<String> = warnings.iter().map(Diagnostic::to_string).collect();
        let now = &self.serving.snapshot;
        warnings.extend(changes::needing_restart(&now.config, &config));
        changes::keep(&now.config, &mut config);
        let tls = self.tls(&config, &files).map_err(|error| cannot(&error))?;
        let sockets = self.bind(&config).map_err(|error| cannot(&error))?;
        let log = match config.log.access == now.config.log.access {
            true => None,
            false => Some(
                self.open_log(&config.log.access)
                    .map_err(|error| cannot(&error))?,
            ),
        };
        Ok(Prepared {
            watch: Watch::read(&config, &files),
            certificates: tls::inspect(&config.hosts, &files, SystemTime::now()).into_expiries(),
            serving: Serving::new(config, Some(now), tls, self.keys.as_ref()),
            sockets,
            log,
            warnings,
        })
    }

    fn tls(&self, config: &Config, files: &Handed) -> Result<Option<tls::Server>, tls::Error> {
        match config.listen.https.is_empty() {
            true => Ok(None),
            false => tls::server_config(&config.hosts, config.tls, files, &self.tickets).map(Some),
        }
    }

    /// Takes over certificates, passwords and keys whose files have changed; called every few
    /// seconds.
    pub(super) fn renew(&mut self) {
        let snapshot = Arc::clone(&self.serving.snapshot);
        let config = &snapshot.config;
        if config.files().is_empty() {
            return;
        }
        // A keeper that is lost is reported where somebody waits for it.
        let Ok(files) = self.keeper.files_again() else {
            return;
        };
        if !self.watch.is_due(config, &files) {
            return self.repeat_warnings(config, &files);
        }
        // Also when they are wrong: they are looked at again once they have changed again.
        self.watch = Watch::read(config, &files);
        self.renew_secrets(config, &files);
        if config.listen.https.is_empty() {
            return;
        }
        match self.tls(config, &files) {
            Ok(tls) => {
                self.serving = self.serving.with_tls(tls, self.keys.as_ref());
                if let Some(problem) = self.tell_workers(Vec::new()) {
                    tracing::warn!("{problem}");
                }
                let report = tls::inspect(&config.hosts, &files, SystemTime::now());
                log_certificates(&report.warnings);
                self.metrics.certificates(report.into_expiries());
                tracing::info!("certificates renewed");
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!(
                    error,
                    "changed certificates cannot be used, the old ones stay"
                );
            }
        }
    }

    /// Puts other passwords and keys in force; wrong files leave those that there are.
    fn renew_secrets(&mut self, config: &Config, files: &Handed) {
        let mut renewed = config.clone();
        match renewed.read_secrets(files) {
            Ok(()) if renewed.same_secrets(config) => {}
            Ok(()) => {
                self.serving = self.serving.with_config(renewed);
                if let Some(problem) = self.tell_workers(Vec::new()) {
                    tracing::warn!("{problem}");
                }
                tracing::info!("passwords and keys renewed");
            }
            Err(errors) => {
                for error in errors {
                    let error = error.message;
                    tracing::warn!(error, "changed file cannot be used, the old one stays");
                }
            }
        }
    }

    /// A certificate that nobody renews is worth a line a day.
    fn repeat_warnings(&mut self, config: &Config, files: &Handed) {
        let now_ns = monotonic_ns();
        if now_ns.saturating_sub(self.warned_ns) >= WARN_EVERY.as_nanos() as u64 {
            self.warned_ns = now_ns;
            log_certificates(&tls::inspect(&config.hosts, files, SystemTime::now()).warnings);
        }
    }

    /// Sockets for what is listened on beyond what there is.
    fn bind(&self, wanted: &Config) -> Result<Vec<Vec<ListenSocket>>, Error> {
        let there = Endpoint::all(&self.serving.snapshot.config.listen);
        let mut new = Endpoint::all(&wanted.listen);
        new.retain(|endpoint| !there.contains(endpoint));
        let sockets = match new.is_empty() {
            true => Vec::new(),
            false => self
                .keeper
                .bind(new.clone(), self.workers.len(), there, &self.steering)?,
        };
        if sockets.len() < new.len() * self.workers.len() {
            return Err(Error::Changed);
        }
        Ok(deal(sockets, self.workers.len()))
    }

    /// Opens the access log's file anew, for it has been renamed.
    pub(super) fn reopen_log(&self) -> Result<(), Error> {
        let target = &self.serving.snapshot.config.log.access;
        if matches!(target, LogTarget::File(_)) {
            self.log.set(self.open_log(target)?);
        }
        Ok(())
    }

    /// The directory may be the service's own, or root's.
    fn open_log(&self, target: &LogTarget) -> Result<AccessTarget, Error> {
        let refused = match AccessTarget::open(target) {
            Ok(opened) => return Ok(opened),
            Err(refused) => refused,
        };
        match (target, self.keeper.log()?) {
            (LogTarget::File(wanted), Some((path, file))) if *wanted == path => Ok(file.into()),
            _ => Err(refused.into()),
        }
    }

    /// Returns what went wrong.
    fn tell_workers(&self, sockets: Vec<Vec<ListenSocket>>) -> Option<String> {
        let (done, taken_over) = std_mpsc::channel();
        let mut waiting = 0;
        let sockets = sockets.into_iter().chain(std::iter::repeat_with(Vec::new));
        for (worker, sockets) in self.workers.iter().zip(sockets) {
            let update = Update {
                serving: self.serving.clone(),
                sockets,
                done: done.clone(),
            };
            // Fails only for a worker that has ended, because the process is about to.
            waiting += usize::from(worker.blocking_send(update).is_ok());
        }
        drop(done);
        let late = (0..waiting).find(|_| taken_over.recv_timeout(WORKER_WAIT).is_err());
        late.map(|before| {
            let late = waiting - before;
            format!("{late} workers have not taken over the configuration yet")
        })
    }

    /// Returns what could not be taken over.
    fn tell_control(&self) -> Vec<String> {
        let (done, outcome) = oneshot::channel();
        let configured = Configured {
            snapshot: Arc::clone(&self.serving.snapshot),
            done,
        };
        match self.control.blocking_send(configured) {
            Ok(()) => outcome.blocking_recv().unwrap_or_default(),
            // The process is about to end.
            Err(_) => Vec::new(),
        }
    }
}

fn log_certificates(warnings: &[tls::Warning]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

fn shown(errors: &ConfigErrors) -> Vec<String> {
    errors.iter().map(Diagnostic::to_string).collect()
}

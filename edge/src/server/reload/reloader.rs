//! From a changed file to workers that serve it.

use std::path::PathBuf;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};

use super::changes;
use super::watch::Watch;
use crate::config::{Config, ConfigErrors, Diagnostic, Loaded, LogTarget};
use crate::observe::access::{AccessOutput, AccessTarget};
use crate::observe::admin::Reloaded;
use crate::observe::metrics::Metrics;
use crate::observe::trace::SpanOutput;
use crate::proxy::Snapshot;
use crate::quic::Keys;
use crate::server::Error;
use crate::server::control::Configured;
use crate::server::keeper::{Handed, Keeper};
use crate::server::listen::deal;
use crate::server::load::{load, with_causes};
use crate::server::stapling::Stapling;
use crate::server::steer::Steering;
use crate::server::update::{Endpoint, ListenSocket, Serving, Update};
use crate::tls::{self, Tickets};

/// For one more worker to take over, which needs one turn of its loop.
const WORKER_WAIT: Duration = Duration::from_secs(5);

/// What it takes to reload.
pub(in crate::server) struct Reloader {
    /// The file that was named at the start.
    pub(in crate::server) path: PathBuf,
    pub(in crate::server) keeper: Keeper,
    pub(in crate::server) tickets: Tickets,
    pub(in crate::server) stapling: Stapling,
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
    /// When the first of the OCSP answers from files ends.
    pub(in crate::server) answers_end: Option<SystemTime>,
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
    /// When the certificates end, and who is asked about them.
    certificates: tls::Report,
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
                self.metrics.certificates(prepared.certificates.expiries());
                self.stapling.want(prepared.certificates.targets);
                self.answers_end = prepared.certificates.answers_end;
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
        // Of a file with errors in it the keeper opens nothing that it names: that is no news.
        Loaded::check_alone(&self.path, &files).map_err(|errors| shown(&errors))?;
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
            certificates: tls::inspect(&config.hosts, &files, SystemTime::now(), None),
            serving: Serving::new(Snapshot::new(config, Some(now)), tls, self.keys.as_ref()),
            sockets,
            log,
            warnings,
        })
    }

    fn tls(&self, config: &Config, files: &Handed) -> Result<Option<tls::Server>, tls::Error> {
        if config.listen.https.is_empty() {
            return Ok(None);
        }
        let (hosts, staples) = (&config.hosts, self.stapling.staples());
        tls::server_config(hosts, config.tls, files, &self.tickets, staples).map(Some)
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
    pub(super) fn tell_workers(&self, sockets: Vec<Vec<ListenSocket>>) -> Option<String> {
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

fn shown(errors: &ConfigErrors) -> Vec<String> {
    errors.iter().map(Diagnostic::to_string).collect()
}

//! From a configuration to a running edge, and back to nothing.
//!
//! Everything that can fail or needs privileges happens on the main thread before a second one
//! exists; then the privileges go, and only then do threads start (see `privileges`).

use std::path::PathBuf;
#[cfg(test)]
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use tokio::sync::mpsc;

use super::control::{BanRequest, Control, ControlHandle, ControlParts};
use super::descriptors;
use super::error::Error;
use super::keeper::Keeper;
use super::listen::bind_all;
use super::privileges::{Account, drop_for_good};
use super::quic::QuicPlan;
use super::reload::{self, Reloader, Watch};
use super::shield;
use super::signals;
use super::stapling::Stapling;
use super::steer::{self, Steering};
use super::supervise;
use super::update::{Endpoint, Serving};
use super::worker::WorkerPlan;
use crate::clock::monotonic_ns;
use crate::config::{Config, Penalty};
use crate::limit::{Connections, Expelled, Spared};
use crate::net;
use crate::observe::access::{AccessTarget, AccessWriter};
use crate::observe::metrics::Metrics;
use crate::observe::trace::SpanExporter;
use crate::proxy::{Snapshot, Switches, WorkerParts};
use crate::quic::Keys;
use crate::tls::{self, Staples, Tickets};

/// How long a blocked log target may hold up the end of the process.
const LOG_WAIT: Duration = Duration::from_secs(2);

/// Updates on their way to a worker: the reload thread waits for one before it sends another.
const UPDATES_MAX: usize = 1;
/// Requests to reload that wait for the one under way; more of them would find the same file.
const JOBS_MAX: usize = 4;

/// Serves until a signal ends it; a reload reads `path` again.
pub fn run(config: Config, path: PathBuf) -> Result<(), Error> {
    signals::unblock();
    let keeper = Keeper::start(&path)?;
    let files = keeper.files()?;
    let tickets = Tickets::new()?;
    let staples = Staples::default();
    let tls = match config.listen.https.is_empty() {
        true => None,
        false => Some(tls::server_config(
            &config.hosts,
            config.tls,
            &files,
            &tickets,
            &staples,
        )?),
    };
    let mut certificates = config
        .hosts
        .iter()
        .filter_map(|host| host.certificate.as_ref());
    let keys = certificates.next().map(|files| Keys::derive(&files.key));
    let watch = Watch::read(&config, &files);
    let certificates = tls::inspect(&config.hosts, &files, SystemTime::now(), None);
    drop(files);
    net::probe_ring().map_err(Error::Ring)?;
    let access = AccessTarget::open(&config.log.access)?;
    let sockets = bind_all(&Endpoint::all(&config.listen), config.workers)?;
    let cpus: Vec<usize> = allowed_cpus()
        .into_iter()
        .cycle()
        .take(config.workers)
        .collect();
    let steering = Steering::new(keys.as_ref(), &cpus);
    steer::attach(&steering, &config.listen, &sockets);
    let control = Control::bind(&config)?;
    let guard = shield::attach(&config, &keeper)?;
    let account = Account::wanted(config.user.as_deref())?;
    if let Some(account) = &account {
        control.give_to(account)?;
    }
    drop_for_good(account.as_ref())?;

    let log = AccessWriter::start(access)?;
    let metrics = Metrics::new(&config);
    metrics.certificates(certificates.expiries());
    let spans = SpanExporter::new(metrics.clone());
    spans.output().set(config.trace.as_ref());
    let (spared, expelled) = (Spared::default(), Expelled::default());
    let switches = Switches::default();
    let (jobs, asked) = std_mpsc::sync_channel(JOBS_MAX);
    let mut stapling = Stapling::new(staples, jobs.clone(), metrics.clone());
    stapling.want(certificates.targets);
    let answers_end = certificates.answers_end;
    let parts = ControlParts {
        metrics: metrics.clone(),
        guard,
        jobs,
        spared: spared.clone(),
        expelled: expelled.clone(),
        switches: switches.clone(),
        access_log_dropped: log.dropped(),
    };
    let control = control.start(&config, parts)?;
    let serving = Serving::new(
        Snapshot::new(config, None).switched_by(&switches),
        tls,
        keys.as_ref(),
    );
    let open = Connections::default();
    let quic = keys.clone();
    let quic = quic.map(|keys| QuicPlan::new(keys, open.clone()));
    let mut updates = Vec::with_capacity(sockets.len());
    let mut workers = Vec::with_capacity(sockets.len());
    for (index, sockets) in sockets.into_iter().enumerate() {
        let (log, spans, own) = (log.output(), spans.output(), metrics.clone());
        let (bans, known, spared) = (control.bans(), control.known(), spared.clone());
        let (update, updated) = mpsc::channel(UPDATES_MAX);
        updates.push(update);
        let plan = WorkerPlan {
            index,
            quic: quic.clone(),
            open: open.clone(),
            cpu: cpus.get(index).copied(),
            sockets,
            serving: serving.clone(),
            parts: Box::new(move || {
                let bans = bans.clone();
                let ban = move |addr, offence, penalty: &Penalty| {
                    bans.send(BanRequest {
                        addr,
                        offence,
                        penalty: *penalty,
                    });
                };
                let parts = WorkerParts {
                    log: log.worker(),
                    spans: spans.worker(),
                    metrics: own.worker(),
                    ban: Box::new(ban),
                    spared: spared.clone(),
                };
                (parts, known.again())
            }),
            updates: updated,
            phase: control.phase(),
            expelled: expelled.clone(),
            #[cfg(test)]
            fail: Arc::default(),
        };
        let restarted = metrics.clone();
        workers.push(supervise::start(plan, restarted).map_err(Error::Worker)?);
    }
    let reloader = Reloader {
        path,
        keeper,
        tickets,
        stapling,
        log: log.output(),
        spans: spans.output(),
        keys,
        steering,
        metrics,
        watch,
        warned_ns: monotonic_ns(),
        answers_end,
        serving: serving.clone(),
        workers: updates,
        control: control.configurations(),
    };
    reload::start(reloader, asked).map_err(Error::Worker)?;
    announce(&serving.snapshot.config);
    finish(workers, log, spans, control);
    Ok(())
}

fn announce(config: &Config) {
    let list = |addrs: &[std::net::SocketAddr]| {
        let addrs: Vec<String> = addrs.iter().map(ToString::to_string).collect();
        addrs.join(" ")
    };
    tracing::info!(
        https = list(&config.listen.https),
        quic = list(&config.listen.quic),
        http = list(&config.listen.http),
        workers = config.workers,
        "ready"
    );
    let wanted = config.bounds.connections;
    let connections = descriptors::connections(wanted, config.workers);
    if connections < wanted {
        tracing::info!(
            connections,
            wanted,
            "fewer connections per worker than `bounds.connections`: each needs two descriptors; raise LimitNOFILE"
        );
    }
}

/// Waits for the workers. The shield goes last: packets are filtered until nobody is served.
fn finish(
    workers: Vec<JoinHandle<()>>,
    log: AccessWriter,
    spans: SpanExporter,
    control: ControlHandle,
) {
    for worker in workers {
        // Its panics have ended the process.
        let _ = worker.join();
    }
    if !log.stop(LOG_WAIT) {
        tracing::warn!("the access log's target is blocked, its last lines are lost");
    }
    if !spans.stop(LOG_WAIT) {
        tracing::warn!("the collector is slow, the last spans are lost");
    }
    control.stop();
    tracing::info!("stopped");
}

/// CPUs this process may run on, in order; a container may have been given a few only.
fn allowed_cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count())
        .filter(|&cpu| allowed.is_set(cpu).unwrap_or(false))
        .collect()
}

//! The control loop: one thread, one runtime, one queue for everybody who wants something.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::bans::BanRequest;
use super::controller::{Configured, Controller};
use crate::kernel::InterfaceWatch;
use crate::observe::admin::{self, Call, Socket};
use crate::observe::{Page, Reader};
use crate::server::reload::Job;
use crate::server::signals::{Phase, Signals};

/// How often expired bans are cleared out.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often samples of dropped packets are taken out of the kernel's ring, long before it is full.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Admin requests and page reads that wait for the loop; their servers bound them as well.
const QUEUE_MAX: usize = 16;

/// What the thread owns.
pub(super) struct Plane {
    pub(super) page: Option<Page>,
    pub(super) socket: Socket,
    pub(super) controller: Controller,
    pub(super) ban_requests: mpsc::Receiver<BanRequest>,
    pub(super) known: mpsc::Receiver<Vec<IpAddr>>,
    pub(super) configured: mpsc::Receiver<Configured>,
    pub(super) jobs: SyncSender<Job>,
    pub(super) phase: watch::Sender<Phase>,
}

impl Plane {
    /// Serves until `stopped` is dropped at the other end; says on `ready` whether it can.
    pub(super) fn run(self, ready: &SyncSender<io::Result<()>>, stopped: oneshot::Receiver<()>) {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let started = runtime.and_then(|runtime| {
            let _inside = runtime.enter();
            let signals = Signals::install()?;
            Ok((signals, runtime))
        });
        match started {
            Err(error) => {
                // The starter waits for it.
                let _ = ready.send(Err(error));
            }
            Ok((signals, runtime)) => {
                let _ = ready.send(Ok(()));
                runtime.block_on(self.serve(signals, stopped));
            }
        }
    }

    async fn serve(mut self, signals: Signals, mut stopped: oneshot::Receiver<()>) {
        let (calls, mut called) = mpsc::channel::<Call>(QUEUE_MAX);
        let (readers, mut read) = mpsc::channel::<Reader>(QUEUE_MAX);
        let phase = self.phase;
        // Dropped with this future: whatever still runs ends, and the socket's file is removed.
        let mut tasks = JoinSet::new();
        tasks.spawn(lasting("admin socket", admin::serve(self.socket, calls)));
        if let Some(page) = self.page {
            tasks.spawn(lasting("metrics page", page.serve(readers)));
        }
        let jobs = self.jobs;
        tasks.spawn(async move {
            let ask = |job| {
                if jobs.try_send(job).is_err() {
                    tracing::warn!("too many reloads at once: a signal is passed over");
                }
            };
            signals.drive(&phase, ask).await;
        });
        let mut sweep = interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lists_lag = false;
        let interfaces = watch_interfaces();
        // One may have come since the start.
        self.controller.follow_interfaces();
        self.controller.warn_about_lists();
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                Some(request) = self.ban_requests.recv() => self.controller.ban_from_worker(request),
                Some(addrs) = self.known.recv() => self.controller.known_good(&addrs),
                Some(configured) = self.configured.recv() => {
                    self.controller.configure(configured);
                    lists_lag = true;
                }
                Some(call) = called.recv() => self.controller.answer(call),
                Some(reader) = read.recv() => {
                    // A scraper that left has no use for the page.
                    let _ = reader.send(self.controller.page());
                }
                () = changed(interfaces.as_ref()) => self.controller.follow_interfaces(),
                _ = sweep.tick() => self.controller.sweep(),
                _ = look.tick() => self.controller.take_evidence(),
                // A slice at a time, so that nothing else waits for long lists.
                () = std::future::ready(()), if lists_lag => {
                    lists_lag = self.controller.sync_lists();
                    tokio::task::yield_now().await;
                }
            }
        }
        tasks.shutdown().await;
        self.controller.say_goodbye();
    }
}

/// Word of interfaces that come and go; without it, those that come later stay unprotected.
fn watch_interfaces() -> Option<InterfaceWatch> {
    InterfaceWatch::new()
        .inspect_err(|error| tracing::warn!(%error, "interfaces are not watched"))
        .ok()
}

/// Waits until something about an interface has changed.
async fn changed(watch: Option<&InterfaceWatch>) {
    if let Some(watch) = watch {
        match watch.changed().await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "interfaces are not watched any more"),
        }
    }
    std::future::pending().await
}

/// Runs a server that only ends when it cannot even begin.
async fn lasting(name: &str, server: impl Future<Output = io::Result<()>>) {
    if let Err(error) = server.await {
        tracing::error!(%error, "no {name}");
    }
}

//! A worker: one thread on one CPU with its own ring, sockets, pools, timers, buffers and counters.

use std::cell::Cell;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::{Semaphore, watch};

use super::accept;
use super::signals::Phase;
use crate::config::Config;
use crate::net;
use crate::proxy::{Proxy, ProxyParts};

/// How often log lines and counters are handed on.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// Flushes between the end of a drain's patience and the end of the worker: enough for the streams
/// that are cut to send their last bytes.
const CUT_TICKS: u64 = 5;
/// Flushes between two looks at idle upstream connections.
const FLUSHES_PER_SWEEP: u32 = 10;

/// TLS handshakes under way at once per worker: a quarter of a second's work, so that a flood of
/// them delays new clients by no more than that and open connections hardly at all.
const HANDSHAKES_MAX: usize = 1024;

/// Everything a worker is started with. Sockets are bound and privileges dropped before.
pub(super) struct WorkerPlan {
    pub(super) cpu: Option<usize>,
    pub(super) https: Vec<TcpListener>,
    pub(super) http: Vec<TcpListener>,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) config: Arc<Config>,
    pub(super) parts: Box<dyn FnOnce() -> ProxyParts + Send>,
    pub(super) phase: watch::Receiver<Phase>,
}

/// What the tasks of one worker share.
pub(super) struct Worker {
    pub(super) proxy: Rc<Proxy>,
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// One permit per connection.
    pub(super) connections: Arc<Semaphore>,
    pub(super) handshakes: Semaphore,
    open: Cell<usize>,
}

impl Worker {
    /// Counts a connection as open until the guard is dropped.
    pub(super) fn open_connection(self: &Rc<Self>) -> OpenConnection {
        self.open.set(self.open.get() + 1);
        OpenConnection(Rc::clone(self))
    }
}

/// An open connection.
pub(super) struct OpenConnection(Rc<Worker>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// Runs a worker to its end on the calling thread.
pub(super) fn run(plan: WorkerPlan) {
    if let Some(cpu) = plan.cpu
        && let Err(error) = net::pin_to_cpu(cpu)
    {
        tracing::warn!(cpu, %error, "cannot pin a worker to its CPU");
    }
    net::run_worker(main(plan));
}

async fn main(plan: WorkerPlan) {
    let drain_timeout = plan.config.timeouts.drain;
    let bounds = plan.config.bounds;
    let worker = Rc::new(Worker {
        proxy: Rc::new(Proxy::new(&plan.config, (plan.parts)())),
        tls: plan.tls,
        connections: Arc::new(Semaphore::new(bounds.connections)),
        handshakes: Semaphore::new(HANDSHAKES_MAX),
        open: Cell::new(0),
    });
    for listener in plan.https {
        net::spawn(accept::accept_loop(Rc::clone(&worker), listener, true));
    }
    for listener in plan.http {
        net::spawn(accept::accept_loop(Rc::clone(&worker), listener, false));
    }

    let mut phase = plan.phase;
    let mut ticks = tokio::time::interval(FLUSH_EVERY);
    let mut count = 0u32;
    // Ticks until patience ends, once a drain has begun.
    let mut patience = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                worker.proxy.flush_records();
                count = count.wrapping_add(1);
                if count.is_multiple_of(FLUSHES_PER_SWEEP) {
                    worker.proxy.sweep();
                }
                match &mut patience {
                    Some(_) if worker.open.get() == 0 => break,
                    Some(0) => break,
                    Some(left) => {
                        *left -= 1;
                        if *left == CUT_TICKS {
                            worker.proxy.drain().cut();
                        }
                    }
                    None => {}
                }
            }
            changed = phase.changed() => match *phase.borrow_and_update() {
                Phase::Serve if changed.is_ok() => {}
                Phase::Drain if changed.is_ok() => {
                    worker.proxy.drain().start();
                    let ticks = drain_timeout.as_millis() / FLUSH_EVERY.as_millis();
                    patience = Some(u64::try_from(ticks).unwrap_or(u64::MAX - 99) + CUT_TICKS + 1);
                }
                _ => break,
            }
        }
    }
    let cut = worker.open.get();
    if cut > 0 {
        tracing::warn!(connections = cut, "closing connections that are still open");
    }
    worker.proxy.flush_records();
}

//! A worker: one thread on one CPU with its own ring, sockets, pools, timers, buffers and counters.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};

use super::clients::Clients;
use super::control::KnownSender;
use super::quic::{Quic, QuicPlan};
use super::signals::Phase;
use super::update::{BoundSocket, Carrier, Endpoint, ListenSocket, Serving, Update};
use super::{accept, descriptors, quic};
use crate::clock::coarse_ns;
use crate::config::Config;
use crate::limit::{ClientKey, Connections, Expelled, Full, Held, Offence};
use crate::net;
use crate::proxy::{Service, Snapshot, WorkerParts};
use crate::tls;

/// How often log lines and counters are handed on.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
const TICKS_PER_SEC: u64 = 10;
/// Flushes between the end of a drain's patience and the end of the worker: enough for the streams
/// that are cut to send their last bytes.
const CUT_TICKS: u64 = 5;
/// Flushes between two looks at idle upstream connections.
const FLUSHES_PER_SWEEP: u32 = 10;

/// Between two lines of the log about clients with too many connections.
const CROWDED_EVERY_NS: u64 = 10_000_000_000;

/// TLS handshakes answered in one turn: open connections wait a few milliseconds for them at most.
const HANDSHAKES_MAX: usize = 64;

/// Everything a worker is started with, and started again with should it fail. Sockets are bound and
/// privileges dropped before.
pub(super) struct WorkerPlan {
    /// Its number.
    pub(super) index: usize,
    pub(super) cpu: Option<usize>,
    /// Where QUIC is spoken.
    pub(super) quic: Option<QuicPlan>,
    /// The connections of each client.
    pub(super) open: Connections,
    /// The worker has its own descriptors of them: while these are open the sockets keep their places
    /// among those of other workers, and what arrives at them waits.
    pub(super) sockets: Vec<ListenSocket>,
    /// As of the last update.
    pub(super) serving: Serving,
    pub(super) parts: Box<dyn Fn() -> (WorkerParts, KnownSender) + Send>,
    pub(super) updates: mpsc::Receiver<Update>,
    pub(super) phase: watch::Receiver<Phase>,
    /// Whose connections are to be closed.
    pub(super) expelled: Expelled,
    /// Makes it fail.
    #[cfg(test)]
    pub(super) fail: Arc<std::sync::atomic::AtomicBool>,
}

impl WorkerPlan {
    /// Takes note of an update, so that a worker that fails over it is started again with it; the
    /// sockets it brings, for the worker.
    fn note(&mut self, update: &mut Update) -> io::Result<Vec<ListenSocket>> {
        self.serving = update.serving.clone();
        let wanted = Endpoint::all(&self.serving.snapshot.config.listen);
        let own: io::Result<_> = update.sockets.iter().map(ListenSocket::try_clone).collect();
        self.sockets.append(&mut update.sockets);
        self.sockets
            .retain(|socket| wanted.contains(&socket.endpoint));
        own
    }
}

/// What the tasks of one worker share.
pub(super) struct Worker {
    pub(super) service: Rc<Service>,
    /// Where those are reported who have completed a handshake.
    pub(super) known: KnownSender,
    /// One permit per connection.
    pub(super) connections: Arc<Semaphore>,
    pub(super) handshakes: Semaphore,
    pub(super) quic: Option<Quic>,
    serving: RefCell<Serving>,
    /// How many permits there are, those in use included.
    connections_max: Cell<usize>,
    /// The open connections.
    pub(super) clients: Clients,
    /// Those of each client, at all workers.
    open: Connections,
    /// When it was last said that somebody had too many, by the coarse clock.
    crowded_ns: Cell<Option<u64>>,
    expelled: Expelled,
    /// How many had been banned when that was last looked at.
    bans_seen: Cell<u64>,
    /// The sockets listened on; dropping an entry closes its socket.
    listening: RefCell<HashMap<Endpoint, oneshot::Sender<()>>>,
    failed: Notify,
}

/// Held by a task that the worker cannot do without: a panic in it is the worker's.
struct Vital(Rc<Worker>);

impl Drop for Vital {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail();
        }
    }
}

impl Worker {
    fn new(
        serving: Serving,
        (parts, known): (WorkerParts, KnownSender),
        quic: Option<Quic>,
        open: Connections,
        expelled: Expelled,
    ) -> Rc<Worker> {
        let connections_max = connections_max(&serving.snapshot.config);
        Rc::new(Worker {
            service: Rc::new(Service::new(Arc::clone(&serving.snapshot), parts)),
            known,
            connections: Arc::new(Semaphore::new(connections_max)),
            handshakes: Semaphore::new(HANDSHAKES_MAX),
            quic,
            serving: RefCell::new(serving),
            connections_max: Cell::new(connections_max),
            clients: Clients::default(),
            open,
            crowded_ns: Cell::new(None),
            bans_seen: Cell::new(expelled.count()),
            expelled,
            listening: RefCell::default(),
            failed: Notify::new(),
        })
    }

    /// The TLS configuration in force.
    pub(super) fn tls(&self) -> Option<tls::Server> {
        self.serving.borrow().tls.clone()
    }

    /// The QUIC configuration in force.
    pub(super) fn quic_config(&self) -> Option<Arc<quinn::ServerConfig>> {
        self.serving.borrow().quic.clone()
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.serving.borrow().snapshot)
    }

    /// Whether connections to an address begin with what a proxy says of them.
    pub(super) fn expects_proxy_header(&self, addr: SocketAddr) -> bool {
        let serving = self.serving.borrow();
        serving
            .snapshot
            .config
            .listen
            .proxy_protocol
            .contains(&addr)
    }

    fn listen(self: &Rc<Self>, sockets: Vec<ListenSocket>) {
        for socket in sockets {
            let (open, closing) = oneshot::channel();
            self.listening.borrow_mut().insert(socket.endpoint, open);
            let secure = socket.endpoint.carrier == Carrier::Tls;
            let addr = socket.endpoint.addr;
            let (worker, vital) = (Rc::clone(self), Vital(Rc::clone(self)));
            net::spawn(async move {
                let _vital = vital;
                match socket.socket {
                    BoundSocket::Stream(socket) => {
                        accept::accept_loop(worker, socket, addr, secure, closing).await;
                    }
                    BoundSocket::Datagram(socket) => {
                        quic::accept_loop(worker, socket, closing).await;
                    }
                }
            });
        }
    }

    /// Ends the worker, to be started again.
    pub(super) fn fail(&self) {
        self.failed.notify_one();
    }

    /// Serves something else from now on: all of it, between two turns of this thread.
    fn update(self: &Rc<Self>, update: Update, sockets: Vec<ListenSocket>) {
        let config = &update.serving.snapshot.config;
        self.bound_connections(connections_max(config));
        let endpoints = Endpoint::all(&config.listen);
        // With new certificates alone it is the snapshot there was.
        if !Arc::ptr_eq(&update.serving.snapshot, &self.snapshot()) {
            self.service.replace(Arc::clone(&update.serving.snapshot));
        }
        self.serving.replace(update.serving);
        let mut listening = self.listening.borrow_mut();
        listening.retain(|endpoint, _| endpoints.contains(endpoint));
        drop(listening);
        self.listen(sockets);
        // The control thread may have stopped waiting.
        let _ = update.done.send(());
    }

    /// Fewer than there are open now come into force as connections close.
    fn bound_connections(&self, most: usize) {
        let now = self.connections_max.get();
        let reached = match most.checked_sub(now) {
            Some(more) => {
                self.connections.add_permits(more);
                most
            }
            None => now - self.connections.forget_permits(now - most),
        };
        self.connections_max.set(reached);
    }

    /// Counts a connection as open until the guard is dropped.
    pub(super) fn open_connection(self: &Rc<Self>, addr: IpAddr) -> OpenConnection {
        OpenConnection {
            worker: Rc::clone(self),
            number: self.clients.open(addr),
        }
    }

    /// Counts a connection for its client; an error where that has as many as it may.
    pub(super) fn hold(&self, addr: IpAddr) -> Result<Option<Held>, Full> {
        let snapshot = self.snapshot();
        let bound = &snapshot.config.per_address;
        let prefix = snapshot.config.shield.ipv6_prefix;
        self.open.hold(bound, addr, prefix).inspect_err(|_| {
            self.service.metrics().connection_refused();
            // One client can do this thousands of times a second.
            let (now_ns, said) = (coarse_ns(), self.crowded_ns.get());
            if said.is_none_or(|said_ns| now_ns.saturating_sub(said_ns) > CROWDED_EVERY_NS) {
                self.crowded_ns.set(Some(now_ns));
                let client = addr.to_canonical();
                let most = bound.connections.unwrap_or(0);
                tracing::warn!(%client, most, "connections refused: this client has as many as it may");
            }
        })
    }

    /// Closes the connections of those who have been banned since the last call.
    fn close_banned(&self) {
        self.clients.end_those_told();
        let bans = self.expelled.count();
        if self.bans_seen.replace(bans) == bans {
            return;
        }
        let (prefix, now) = (self.snapshot().config.shield.ipv6_prefix, coarse_ns());
        let is_banned = |addr| self.expelled.has(&ClientKey::from_ip(addr, prefix), now);
        let connections = self.clients.expel(is_banned);
        if connections > 0 {
            tracing::debug!(connections, "closed the connections of banned clients");
        }
    }

    /// Closes connections that move all the time, and counts it against those who made them.
    fn close_restless(&self, turn: u64) {
        for addr in self.clients.end_the_restless(turn, TICKS_PER_SEC) {
            self.service.current().offence(addr, Offence::Resets);
        }
    }
}

/// How many connections a worker has at once.
fn connections_max(config: &Config) -> usize {
    descriptors::connections(config.bounds.connections, config.workers)
}

/// An open connection.
pub(super) struct OpenConnection {
    worker: Rc<Worker>,
    number: u64,
}

impl OpenConnection {
    /// Its number among the clients.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.worker.clients.close(self.number);
    }
}

/// Runs a worker to its end on the calling thread. Where it fails it panics; it can be run again.
pub(super) fn run(plan: &mut WorkerPlan) {
    if let Some(cpu) = plan.cpu
        && let Err(error) = net::pin_to_cpu(cpu)
    {
        tracing::warn!(cpu, %error, "cannot pin a worker to its CPU");
    }
    net::run_worker(main(plan));
}

async fn main(plan: &mut WorkerPlan) {
    if *plan.phase.borrow() != Phase::Serve {
        return; // It has failed on its way out.
    }
    let prefix = plan.serving.snapshot.config.shield.ipv6_prefix;
    let quic = plan.quic.clone();
    let quic = quic.map(|quic| Quic::new(quic, plan.index, prefix));
    let serving = plan.serving.clone();
    let (open, expelled) = (plan.open.clone(), plan.expelled.clone());
    let worker = Worker::new(serving, (plan.parts)(), quic, open, expelled);
    let sockets: io::Result<Vec<_>> = plan.sockets.iter().map(ListenSocket::try_clone).collect();
    match sockets {
        Ok(sockets) => worker.listen(sockets),
        Err(error) => give_up(&error),
    }
    let mut ticks = net::Interval::new(FLUSH_EVERY);
    let mut count = 0u32;
    // Ticks until patience ends, once a drain has begun.
    let mut patience = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                #[cfg(test)]
                if plan.fail.swap(false, std::sync::atomic::Ordering::Relaxed) {
                    panic!("as the test wants");
                }
                worker.close_banned();
                worker.close_restless(u64::from(count));
                quic::count(&worker);
                worker.service.flush_records();
                worker.known.flush();
                count = count.wrapping_add(1);
                if count.is_multiple_of(FLUSHES_PER_SWEEP) {
                    worker.service.sweep();
                }
                match &mut patience {
                    Some(_) if worker.clients.count() == 0 => break,
                    Some(0) => break,
                    Some(left) => {
                        *left -= 1;
                        if *left == CUT_TICKS {
                            worker.service.drain().cut();
                        }
                    }
                    None => {}
                }
            }
            Some(mut update) = plan.updates.recv() => match plan.note(&mut update) {
                Ok(sockets) => worker.update(update, sockets),
                Err(error) => give_up(&error),
            },
            () = worker.failed.notified() => give_up(&"a task that listens has ended"),
            changed = plan.phase.changed() => match *plan.phase.borrow_and_update() {
                Phase::Serve if changed.is_ok() => {}
                Phase::Drain if changed.is_ok() => {
                    worker.service.drain().start();
                    let drain_timeout = worker.snapshot().config.timeouts.drain;
                    let ticks = drain_timeout.as_millis() / FLUSH_EVERY.as_millis();
                    patience = Some(u64::try_from(ticks).unwrap_or(u64::MAX - 99) + CUT_TICKS + 1);
                }
                _ => break,
            }
        }
    }
    let cut = worker.clients.count();
    if cut > 0 {
        tracing::warn!(connections = cut, "closing connections that are still open");
    }
    quic::close_all(&worker).await;
    worker.service.flush_records();
}

/// Ends the worker as a panic does, for a reason that has been said.
fn give_up(why: &dyn Display) -> ! {
    tracing::error!("a worker cannot go on: {why}");
    std::panic::resume_unwind(Box::new("a worker has failed"))
}

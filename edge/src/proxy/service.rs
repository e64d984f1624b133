//! The proxy of one worker through all configurations: what stays, and what is in force now.
//!
//! A front asks for the [`Proxy`] in force with every request and keeps it until that request is
//! answered, so that a reload changes nothing under a request in flight.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::configured::Proxy;
use super::drain::Drain;
use super::snapshot::Snapshot;
use crate::config::Penalty;
use crate::limit::{Offence, Spared};
use crate::observe::access::AccessLog;
use crate::observe::metrics::WorkerMetrics;
use crate::observe::trace::SpanLog;

/// Hands a ban to the kernel plane: address, offence, how long. Must not block.
pub type BanSender = Box<dyn Fn(IpAddr, Offence, &Penalty)>;

/// What a worker has for its whole life.
pub struct WorkerParts {
    /// Its access log.
    pub log: AccessLog,
    /// Its spans.
    pub spans: SpanLog,
    /// Its counters.
    pub metrics: WorkerMetrics,
    /// Where bans go.
    pub ban: BanSender,
    /// Whose offences are not counted.
    pub spared: Spared,
}

/// The proxy of one worker.
pub struct Service {
    lasting: Lasting,
    current: RefCell<Rc<Proxy>>,
    /// Those before it, as long as requests hold them.
    retired: RefCell<Vec<Weak<Proxy>>>,
}

/// What outlives a configuration; clones share it.
#[derive(Clone)]
pub(super) struct Lasting {
    pub(super) log: Rc<RefCell<AccessLog>>,
    pub(super) spans: Rc<RefCell<SpanLog>>,
    pub(super) metrics: Rc<WorkerMetrics>,
    pub(super) ban: Rc<BanSender>,
    pub(super) spared: Spared,
    pub(super) drain: Rc<Drain>,
}

impl Service {
    /// The proxy of one worker under its first configuration.
    pub fn new(snapshot: Arc<Snapshot>, parts: WorkerParts) -> Service {
        let lasting = Lasting {
            log: Rc::new(RefCell::new(parts.log)),
            spans: Rc::new(RefCell::new(parts.spans)),
            metrics: Rc::new(parts.metrics),
            ban: Rc::new(parts.ban),
            spared: parts.spared,
            drain: Rc::default(),
        };
        lasting.log.borrow_mut().configure(&snapshot.config.log);
        let first = Rc::new_cyclic(|this| Proxy::new(snapshot, lasting.clone(), None, this));
        Service {
            lasting,
            current: RefCell::new(first),
            retired: RefCell::default(),
        }
    }

    /// The proxy under the configuration in force: ask anew for every request.
    pub fn current(&self) -> Rc<Proxy> {
        Rc::clone(&self.current.borrow())
    }

    /// Puts a configuration in force for every request from now on.
    pub fn replace(&self, snapshot: Arc<Snapshot>) {
        let settings = &snapshot.config.log;
        self.lasting.log.borrow_mut().configure(settings);
        let next = Rc::new_cyclic(|this| {
            let lasting = self.lasting.clone();
            Proxy::new(snapshot, lasting, Some(&self.current()), this)
        });
        let before = self.current.replace(next);
        // What it has stored was stored under its rules.
        before.cache.borrow_mut().close();
        self.retired.borrow_mut().push(Rc::downgrade(&before));
    }

    /// The counters of this worker.
    pub fn metrics(&self) -> &WorkerMetrics {
        &self.lasting.metrics
    }

    /// The signal to finish.
    pub fn drain(&self) -> &Drain {
        &self.lasting.drain
    }

    /// Hands on what log and metrics have gathered; called several times a second.
    pub fn flush_records(&self) {
        self.current().count_connections();
        self.lasting.log.borrow_mut().flush();
        self.lasting.spans.borrow_mut().flush();
        self.lasting.metrics.flush();
    }

    /// Upkeep of idle connections; called about once a second.
    pub fn sweep(&self) {
        self.current().sweep();
        self.retired.borrow_mut().retain(|retired| {
            let in_use = retired.upgrade();
            in_use.inspect(|proxy| proxy.sweep()).is_some()
        });
    }
}

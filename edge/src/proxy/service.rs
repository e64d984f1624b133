//! The proxy of one worker: everything a request needs, none of it shared with other workers except
//! the limiter's table.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::drain::Drain;
use super::router::Router;
use crate::config::{Bounds, Config, RequestLimit, Timeouts};
use crate::limit::{CLIENTS, Limiter, Penalties};
use crate::observe::access::AccessLog;
use crate::observe::metrics::WorkerMetrics;
use crate::upstream::Upstreams;

/// Hands a ban to the kernel plane: address, duration. Must not block.
pub type BanSender = Box<dyn Fn(IpAddr, Duration)>;

/// The request limit, shared by all workers.
pub struct Limits {
    pub(super) limiter: Limiter,
    pub(super) penalties: Option<Penalties>,
}

impl Limits {
    /// Builds the tables of a configured limit.
    pub fn new(limit: &RequestLimit) -> Limits {
        Limits {
            limiter: Limiter::new(limit.rate, CLIENTS),
            penalties: limit.penalty.map(Penalties::new),
        }
    }
}

/// What a proxy is made of.
pub struct ProxyParts {
    /// The access log of this worker.
    pub log: AccessLog,
    /// The counters of this worker.
    pub metrics: WorkerMetrics,
    /// The request limit, if any.
    pub limits: Option<Arc<Limits>>,
    /// Where bans go.
    pub ban: BanSender,
}

/// The proxy of one worker.
pub struct Proxy {
    pub(super) router: Router,
    pub(super) upstreams: Upstreams,
    pub(super) limits: Option<Arc<Limits>>,
    pub(super) ban: BanSender,
    pub(super) log: RefCell<AccessLog>,
    pub(super) metrics: WorkerMetrics,
    pub(super) timeouts: Timeouts,
    pub(super) bounds: Bounds,
    pub(super) ipv6_prefix: u8,
    pub(super) redirect_port: Option<u16>,
    drain: Drain,
}

impl Proxy {
    /// Builds the proxy of one worker.
    pub fn new(config: &Config, parts: ProxyParts) -> Proxy {
        let https_port = config.listen.https.first().map(SocketAddr::port);
        Proxy {
            router: Router::new(&config.hosts),
            upstreams: Upstreams::new(&config.upstreams, &config.bounds),
            limits: parts.limits,
            ban: parts.ban,
            log: RefCell::new(parts.log),
            metrics: parts.metrics,
            timeouts: config.timeouts,
            bounds: config.bounds,
            ipv6_prefix: config.shield.ipv6_prefix,
            redirect_port: https_port.filter(|_| config.listen.redirect),
            drain: Drain::default(),
        }
    }

    /// The counters of this worker.
    pub fn metrics(&self) -> &WorkerMetrics {
        &self.metrics
    }

    /// Deadlines, for the fronts.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Bounds, for the fronts.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The signal to finish.
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Hands on what log and metrics have gathered; called several times a second.
    pub fn flush_records(&self) {
        for (upstream, open) in self.upstreams.connections() {
            self.metrics.upstream_connections(upstream, open);
        }
        self.log.borrow_mut().flush();
        self.metrics.flush();
    }

    /// Upkeep of idle connections; called about once a second.
    pub fn sweep(&self) {
        self.upstreams.sweep();
    }
}

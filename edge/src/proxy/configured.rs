//! The proxy of one worker under one configuration: everything a request needs, none of it shared
//! with other workers except what the [`Snapshot`] holds.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::alt_svc;
use super::authenticate::{Gates, Remembered, Verdicts, Verified};
use super::cache::Store;
use super::drain::Drain;
use super::identities::Identities;
use super::limits;
use super::mcp::{Sealers, Spares, Tables};
use super::router::Router;
use super::service::{BanSender, Lasting};
use super::snapshot::{Limits, Snapshot};
use super::switches::Switches;
use crate::auth::Passwords;
use crate::config::{Bounds, Config, Forwarding, Timeouts, Tracing};
use crate::limit::{Penalties, Spared};
use crate::mcp::{BodyScan, Subject};
use crate::observe::access::AccessLog;
use crate::observe::metrics::{Series, WorkerMetrics};
use crate::observe::trace::SpanLog;
use crate::upstream::Upstreams;

/// The proxy of one worker under one configuration.
pub struct Proxy {
    pub(super) router: Router,
    switches: Switches,
    pub(super) identities: Identities,
    pub(super) upstreams: Upstreams,
    pub(super) limits: Option<Arc<Limits>>,
    pub(super) named_limits: Option<Arc<limits::Tables>>,
    pub(super) mcp: Option<Arc<Tables>>,
    pub(super) scans: Spares<BodyScan>,
    pub(super) subjects: Spares<Subject>,
    pub(super) sealers: Arc<Sealers>,
    pub(super) penalties: Option<Arc<Penalties>>,
    pub(super) gates: Arc<Gates>,
    pub(super) remembered: Remembered,
    pub(super) verdicts: Verdicts,
    pub(super) verified: Verified,
    pub(super) passwords: Option<Arc<Passwords>>,
    pub(super) series: Series,
    pub(super) timeouts: Timeouts,
    pub(super) bounds: Bounds,
    pub(super) ipv6_prefix: u8,
    pub(super) redirect_port: Option<u16>,
    /// What clients are told of HTTP/3.
    pub(super) alt_svc: Option<Box<str>>,
    session_idle_s: u32,
    pub(super) close_unknown: bool,
    pub(super) forwarding: Forwarding,
    /// Where spans are made.
    pub(super) tracing: Option<Tracing>,
    /// Answers that are stored.
    pub(super) cache: Rc<RefCell<Store>>,
    /// Encoders at work.
    pub(super) encoders: Rc<Cell<usize>>,
    /// Itself, for what it does behind a request.
    pub(super) this: Weak<Proxy>,
    // What the worker keeps from one configuration to the next.
    pub(super) ban: Rc<BanSender>,
    pub(super) spared: Spared,
    pub(super) log: Rc<RefCell<AccessLog>>,
    pub(super) spans: Rc<RefCell<SpanLog>>,
    pub(super) metrics: Rc<WorkerMetrics>,
    drain: Rc<Drain>,
}

impl Proxy {
    /// Puts a configuration to work; idle upstream connections come along from `previous`.
    pub(super) fn new(
        snapshot: Arc<Snapshot>,
        lasting: Lasting,
        previous: Option<&Proxy>,
        this: &Weak<Proxy>,
    ) -> Proxy {
        let config = &snapshot.config;
        let https_port = config.listen.https.first().map(SocketAddr::port);
        let upstreams = previous.map(|previous| &previous.upstreams);
        let fleet = Arc::clone(&snapshot.fleet);
        lasting
            .metrics
            .show_servers(Arc::new(move || fleet.states()));
        let cache_bytes = config.bounds.cache_bytes / config.workers.max(1);
        Proxy {
            cache: Rc::new(RefCell::new(Store::new(cache_bytes))),
            encoders: Rc::default(),
            this: Weak::clone(this),
            router: {
                let router = Router::new(&config.hosts);
                router.look(&snapshot.switches);
                router
            },
            switches: snapshot.switches.clone(),
            identities: Identities::new(config),
            upstreams: Upstreams::new(&snapshot.fleet, &config.bounds, upstreams),
            limits: snapshot.limits.clone(),
            named_limits: snapshot.named_limits.clone(),
            mcp: snapshot.mcp.clone(),
            scans: Spares::default(),
            subjects: Spares::default(),
            sealers: Arc::clone(&snapshot.sealers),
            penalties: snapshot.penalties.clone(),
            gates: Arc::clone(&snapshot.gates),
            remembered: Remembered::default(),
            verdicts: Verdicts::default(),
            verified: Verified::default(),
            passwords: snapshot.passwords.clone(),
            series: lasting.metrics.series(config),
            timeouts: config.timeouts,
            bounds: config.bounds,
            ipv6_prefix: config.shield.ipv6_prefix,
            session_idle_s: session_idle_s(config),
            alt_svc: alt_svc::value(config),
            redirect_port: https_port.filter(|_| config.listen.redirect),
            close_unknown: config.listen.close_unknown,
            forwarding: config.forwarding.clone(),
            tracing: config.trace.clone(),
            ban: lasting.ban,
            spared: lasting.spared,
            log: lasting.log,
            spans: lasting.spans,
            metrics: lasting.metrics,
            drain: lasting.drain,
        }
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
    pub(super) fn drain(&self) -> &Drain {
        &self.drain
    }

    pub(super) fn count_connections(&self) {
        for (upstream, open) in self.upstreams.connections() {
            self.series.upstream_connections(upstream, open);
        }
    }

    pub(super) fn sweep(&self) {
        self.upstreams.sweep();
        self.router.look(&self.switches);
        let (bytes, entries) = self.cache.borrow().size();
        self.metrics.cache_holds(bytes, entries);
        if let Some(tables) = &self.mcp {
            tables.sweep(self.session_idle_s);
            let (known, forgotten) = tables.sessions();
            self.metrics.mcp_sessions(known, forgotten);
        }
    }
}

/// Sessions are forgotten when the most patient route would.
fn session_idle_s(config: &Config) -> u32 {
    let routes = config.hosts.iter().flat_map(|host| &host.routes);
    let idle = routes.filter_map(|route| route.action.mcp().map(|mcp| mcp.session_idle));
    idle.max().map_or(0, |idle| idle.as_secs() as u32)
}

//! A configuration in force, as all workers share it.

use std::sync::Arc;

use super::authenticate::Gates;
use super::limits;
use super::mcp::{Sealers, Tables};
use super::switches::Switches;
use crate::auth::Passwords;
use crate::config::{Config, RequestLimit};
use crate::limit::{CLIENTS, Limiter, Penalties};
use crate::upstream::Fleet;

/// A configuration and what all workers share under it.
pub struct Snapshot {
    /// The configuration.
    pub config: Config,
    pub(super) limits: Option<Arc<Limits>>,
    pub(super) named_limits: Option<Arc<limits::Tables>>,
    pub(super) mcp: Option<Arc<Tables>>,
    pub(super) sealers: Arc<Sealers>,
    pub(super) penalties: Option<Arc<Penalties>>,
    pub(super) gates: Arc<Gates>,
    pub(super) passwords: Option<Arc<Passwords>>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) switches: Switches,
}

impl Snapshot {
    /// Makes a configuration ready to be served. What the one before it has learnt about clients
    /// is kept where the settings allow.
    pub fn new(config: Config, previous: Option<&Snapshot>) -> Snapshot {
        let known = previous.and_then(|previous| previous.limits.as_ref());
        let limits = config.limit.as_ref().map(|limit| match known {
            Some(known) if known.settings == *limit => Arc::clone(known),
            Some(known) => Arc::new(known.with(limit)),
            None => Arc::new(Limits::new(limit)),
        });
        let issuers = previous.map(|previous| &previous.gates.issuers);
        let counted = previous.and_then(|previous| previous.named_limits.as_ref());
        let named_limits = limits::Tables::wanted(&config, counted);
        let tables = previous.and_then(|previous| previous.mcp.as_ref());
        let mcp = Tables::wanted(&config, tables);
        let known = previous.and_then(|previous| previous.penalties.as_ref());
        let penalties = config.penalty.map(|penalty| match known {
            Some(known) if *known.settings() == penalty => Arc::clone(known),
            Some(known) => Arc::new(known.with(penalty)),
            None => Arc::new(Penalties::new(penalty)),
        });
        let checking = previous.and_then(|previous| previous.passwords.clone());
        let mut routes = config.hosts.iter().flat_map(|host| &host.routes);
        let passwords = routes
            .any(|route| route.auth.basic.is_some())
            .then(|| checking.unwrap_or_else(|| Arc::new(Passwords::start())));
        let known = previous.map(|previous| &*previous.fleet);
        let fleet = Arc::new(Fleet::new(&config.upstreams, known));
        fleet.look_after(known);
        let switches = previous.map(|previous| previous.switches.clone());
        let switches = switches.unwrap_or_default();
        switches.know(&config.hosts);
        Snapshot {
            switches,
            sealers: Arc::new(Sealers::new(&config)),
            gates: Arc::new(Gates::new(&config, issuers)),
            config,
            limits,
            named_limits,
            passwords,
            mcp,
            penalties,
            fleet,
        }
    }
}

impl Snapshot {
    /// With these switches, for the first one of a process.
    pub fn switched_by(self, switches: &Switches) -> Snapshot {
        switches.know(&self.config.hosts);
        Snapshot {
            switches: switches.clone(),
            ..self
        }
    }
}

/// The request limit, shared by all workers.
pub(super) struct Limits {
    settings: RequestLimit,
    pub(super) limiter: Limiter,
}

impl Limits {
    fn new(limit: &RequestLimit) -> Limits {
        Limits {
            settings: *limit,
            limiter: Limiter::new(limit.rate, CLIENTS),
        }
    }

    /// Other settings for the clients known so far.
    fn with(&self, limit: &RequestLimit) -> Limits {
        Limits {
            settings: *limit,
            limiter: self.limiter.with_rate(limit.rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rate;
    use crate::limit::ClientKey;
    use crate::observe::testing;

    fn snapshot(rate: Rate, previous: Option<&Snapshot>) -> Snapshot {
        let mut config = testing::config();
        config.limit = Some(RequestLimit { rate });
        Snapshot::new(config, previous)
    }

    #[test]
    fn a_client_at_its_limit_gains_nothing_from_a_reload() {
        let rate = Rate {
            per_sec: 1.0,
            burst: 2,
        };
        let client = ClientKey::from_ip([192, 0, 2, 1].into(), 64);
        let admitted = |snapshot: &Snapshot| {
            let limits = snapshot.limits.as_ref().expect("there is a limit");
            limits.limiter.admit(&client, 1_000_000_000).is_ok()
        };
        let first = snapshot(rate, None);
        assert!(admitted(&first));
        assert!(admitted(&first));
        assert!(!admitted(&first));
        let same = snapshot(rate, Some(&first));
        assert!(!admitted(&same));
        let faster = snapshot(
            Rate {
                per_sec: 10.0,
                burst: 3,
            },
            Some(&same),
        );
        assert!(!admitted(&faster), "it owes what it took before");
    }
}

//! Host and path to route (RFC 9110 §7.4: a request for a host that is not served here is refused).

use std::cell::Cell;
use std::collections::HashMap;

use http::Method;

use super::matching::Taken;
use super::switches::Switches;
use crate::config::{
    ClientAuth, ErrorPage, FieldRule, Host, HostName, Maintenance, Mcp, Route, RouteMatch,
};
use crate::message::RequestHead;

/// Where requests of each host and path go.
pub struct Router {
    exact: HashMap<Box<str>, usize>,
    wildcard: HashMap<Box<str>, usize>,
    any: Option<usize>,
    sites: Vec<Site>,
    speaks_rpc: bool,
}

/// A configured host.
pub struct Site {
    /// Its position in the configuration.
    pub number: usize,
    /// It is served over TLS.
    pub has_certificate: bool,
    /// Clients are told of HTTP/3.
    pub http3: bool,
    /// What is done to the fields of answers that no route gives.
    pub(super) response_rules: Vec<FieldRule>,
    /// Certificates that its clients must show.
    pub client_auth: Option<ClientAuth>,
    /// Pages for answers of the edge's own.
    pub(super) error_pages: Vec<ErrorPage>,
    names: Vec<HostName>,
    maintenance: Option<Maintenance>,
    /// What clients are told where only a switch says that it is worked on.
    switched: Maintenance,
    /// As it was when it was last looked at.
    is_worked_on: Cell<bool>,
    /// In the order in which they are tried.
    routes: Vec<Numbered>,
}

struct Numbered {
    number: usize,
    route: Route,
}

/// What a request was matched to.
#[derive(Clone, Copy)]
pub enum Match<'a> {
    /// No such host here.
    UnknownHost,
    /// The host has no route for the path.
    NoRoute(&'a Site),
    /// It has one, for other methods.
    OtherMethod(&'a Site),
    /// A route and its number in the order of the configuration.
    Route {
        /// The host.
        site: &'a Site,
        /// Running number over all hosts.
        number: usize,
        /// The route.
        route: &'a Route,
    },
}

impl<'a> Match<'a> {
    /// The host, if it is known.
    pub(super) fn site(self) -> Option<&'a Site> {
        match self {
            Match::UnknownHost => None,
            Match::NoRoute(site) | Match::OtherMethod(site) | Match::Route { site, .. } => {
                Some(site)
            }
        }
    }

    /// What a route knows of MCP.
    pub(super) fn mcp(self) -> Option<&'a Mcp> {
        match self {
            Match::Route { route, .. } => route.action.mcp(),
            _ => None,
        }
    }

    /// What is done to the fields of the answer, and the route it comes from.
    pub(super) fn rules(self) -> (&'a [FieldRule], Option<&'a RouteMatch>) {
        match self {
            Match::Route { route, .. } => (&route.response_rules, Some(&route.when)),
            other => (other.site().map_or(&[], |site| &site.response_rules), None),
        }
    }
}

impl Router {
    /// Indexes the configured hosts.
    pub fn new(hosts: &[Host]) -> Router {
        let mut router = Router {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            any: None,
            sites: Vec::with_capacity(hosts.len()),
            speaks_rpc: hosts.iter().any(|host| !host.routes.is_empty()),
        };
        let mut numbers = 0..;
        for (index, host) in hosts.iter().enumerate() {
            for name in &host.names {
                match name {
                    HostName::Exact(name) => {
                        router.exact.insert(name.as_str().into(), index);
                    }
                    HostName::Wildcard(name) => {
                        router.wildcard.insert(name.as_str().into(), index);
                    }
                    HostName::Any => router.any = Some(index),
                }
            }
            let mut actions = host.routes.iter().map(|route| &route.action);
            router.speaks_rpc &= actions.all(|action| action.mcp().is_some());
            let numbered = host.routes.iter().zip(&mut numbers);
            let mut routes: Vec<Numbered> = numbered
                .map(|(route, number)| Numbered {
                    number,
                    route: route.clone(),
                })
                .collect();
            // Stable: what ranks the same stays in the order of the file.
            routes.sort_by(|a, b| a.route.when.rank().cmp(&b.route.when.rank()));
            router.sites.push(Site {
                number: index,
                has_certificate: host.certificate.is_some(),
                http3: host.http3,
                response_rules: host.response_rules.clone(),
                client_auth: host.client_auth.clone(),
                error_pages: host.error_pages.clone(),
                names: host.names.clone(),
                maintenance: host.maintenance.clone(),
                switched: Maintenance::default(),
                is_worked_on: Cell::new(false),
                routes,
            });
        }
        router.look(&Switches::default());
        router
    }

    /// Looks whether hosts are being worked on; called about once a second.
    pub(super) fn look(&self, switches: &Switches) {
        for site in &self.sites {
            let configured = || site.maintenance.as_ref().is_some_and(Maintenance::is_on);
            let is_on = switches.of(&site.names).unwrap_or_else(configured);
            site.is_worked_on.set(is_on);
        }
    }

    /// Finds the route of a request.
    pub fn find(&self, head: &RequestHead) -> Match<'_> {
        let Some(site) = self.site(head.authority.host()) else {
            return Match::UnknownHost;
        };
        let mut other_method = false;
        let mut announced = None;
        for Numbered { number, route } in &site.routes {
            let found = Match::Route {
                site,
                number: *number,
                route,
            };
            match route.when.takes(head) {
                Taken::Yes if route.when.answers_preflights() => return found,
                // The server that gets the request knows who may ask it.
                Taken::Yes => return announced.unwrap_or(found),
                Taken::Announced => {
                    announced.get_or_insert(found);
                }
                Taken::OtherMethod => other_method = true,
                Taken::OtherPath | Taken::OtherField(_) => {}
            }
        }
        match (announced, other_method) {
            (Some(found), _) => found,
            (None, true) => Match::OtherMethod(site),
            (None, false) => Match::NoRoute(site),
        }
    }

    /// Whether every route there is has `mcp`, so that also who sends what cannot be read is a client of
    /// one of them.
    pub(super) fn speaks_rpc(&self) -> bool {
        self.speaks_rpc
    }

    /// A route by its number.
    pub(super) fn route(&self, number: usize) -> Option<&Route> {
        let routes = self.sites.iter().flat_map(|site| &site.routes);
        let mut routes = routes.filter(|route| route.number == number);
        routes.next().map(|numbered| &numbered.route)
    }

    /// The host of a name.
    pub fn site(&self, name: &str) -> Option<&Site> {
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.wildcard.get(parent)
        };
        let index = self
            .exact
            .get(name)
            .or_else(wildcard)
            .copied()
            .or(self.any)?;
        Some(&self.sites[index])
    }
}

impl Site {
    /// What a client is told while the host is being worked on.
    pub(super) fn maintenance(&self) -> Option<&Maintenance> {
        let is_on = self.is_worked_on.get();
        is_on.then(|| self.maintenance.as_ref().unwrap_or(&self.switched))
    }

    /// Every route in the order in which they are tried, and what it says to a request.
    pub fn candidates<'a>(
        &'a self,
        head: &RequestHead,
    ) -> impl Iterator<Item = (usize, &'a Route, Taken<'a>)> {
        self.routes.iter().map(|numbered| {
            (
                numbered.number,
                &numbered.route,
                numbered.route.when.takes(head),
            )
        })
    }

    /// The methods that a request could have used instead (RFC 9110 §10.2.1).
    pub(super) fn allowed(&self, head: &RequestHead) -> String {
        let mut allowed: Vec<&str> = Vec::new();
        for (_, route, taken) in self.candidates(head) {
            if taken == Taken::OtherMethod {
                for method in &route.when.methods {
                    allowed.push(method.as_str());
                    if *method == Method::GET {
                        allowed.push("HEAD");
                    }
                }
            }
        }
        allowed.sort_unstable();
        allowed.dedup();
        allowed.join(", ")
    }
}

#[cfg(test)]
mod tests;

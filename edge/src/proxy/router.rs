//! Host and path to route (RFC 9110 §7.4: a request for a host that is not served here is refused).

use std::collections::HashMap;

use crate::config::{Host, HostName, Route};
use crate::message::{Authority, Target};

/// Where requests of each host and path go.
pub struct Router {
    exact: HashMap<Box<str>, usize>,
    wildcard: HashMap<Box<str>, usize>,
    any: Option<usize>,
    hosts: Vec<HostRoutes>,
}

struct HostRoutes {
    has_certificate: bool,
    /// Longest path first.
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
    NoRoute {
        /// The host is served over TLS.
        has_certificate: bool,
    },
    /// A route and its number in the order of the configuration.
    Route {
        /// The host is served over TLS.
        has_certificate: bool,
        /// Running number over all hosts.
        number: usize,
        /// The route.
        route: &'a Route,
    },
}

impl Router {
    /// Indexes the configured hosts.
    pub fn new(hosts: &[Host]) -> Router {
        let mut router = Router {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            any: None,
            hosts: Vec::with_capacity(hosts.len()),
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
            let numbered = host.routes.iter().zip(&mut numbers);
            let mut routes: Vec<Numbered> = numbered
                .map(|(route, number)| Numbered {
                    number,
                    route: route.clone(),
                })
                .collect();
            routes.sort_by_key(|numbered| std::cmp::Reverse(numbered.route.path.len()));
            let has_certificate = host.certificate.is_some();
            router.hosts.push(HostRoutes {
                has_certificate,
                routes,
            });
        }
        router
    }

    /// Finds the route of a request.
    pub fn find(&self, authority: &Authority, target: &Target) -> Match<'_> {
        let Some(index) = self.host(authority.host()) else {
            return Match::UnknownHost;
        };
        let host = &self.hosts[index];
        let has_certificate = host.has_certificate;
        match host
            .routes
            .iter()
            .find(|numbered| covers(&numbered.route.path, target.path()))
        {
            Some(Numbered { number, route }) => Match::Route {
                has_certificate,
                number: *number,
                route,
            },
            None => Match::NoRoute { has_certificate },
        }
    }

    fn host(&self, name: &str) -> Option<usize> {
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.wildcard.get(parent)
        };
        self.exact.get(name).or_else(wildcard).copied().or(self.any)
    }
}

/// Whole segments: `/mcp` covers `/mcp` and `/mcp/x`, not `/mcpx`. Runs of slashes count as one, as
/// they do for most upstreams, so that `//admin` cannot slip past the route of `/admin`.
fn covers(route: &str, path: &str) -> bool {
    if path.contains("//") {
        let mut squeezed = String::with_capacity(path.len());
        for c in path.chars() {
            if c != '/' || !squeezed.ends_with('/') {
                squeezed.push(c);
            }
        }
        return covers(route, &squeezed);
    }
    let stem = route.strip_suffix('/').unwrap_or(route);
    match path.strip_prefix(stem) {
        Some(rest) => match rest.as_bytes().first() {
            None => stem.len() == route.len(),
            Some(b'/') => true,
            Some(_) => false,
        },
        // `*` addresses the server as a whole.
        None => path == "*" && route == "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Action, ProxyAction, UpstreamId};

    fn router(hosts: &[(&[HostName], &[&str])]) -> Router {
        let hosts: Vec<Host> = hosts
            .iter()
            .map(|(names, paths)| Host {
                names: names.to_vec(),
                certificate: None,
                routes: paths
                    .iter()
                    .map(|path| Route {
                        path: (*path).to_owned(),
                        action: Action::Proxy(ProxyAction {
                            upstream: UpstreamId(0),
                            keep_alive: None,
                            mcp: None,
                        }),
                    })
                    .collect(),
            })
            .collect();
        Router::new(&hosts)
    }

    fn find<'a>(router: &'a Router, host: &str, path: &str) -> Option<(usize, &'a str)> {
        let authority = Authority::parse(host.as_bytes()).expect("valid");
        let target = Target::from_path(path.as_bytes()).expect("valid");
        match router.find(&authority, &target) {
            Match::Route { number, route, .. } => Some((number, &route.path)),
            _ => None,
        }
    }

    #[test]
    fn the_longest_path_of_whole_segments_wins() {
        let r = router(&[(&[HostName::Any], &["/", "/mcp", "/mcp/admin", "/files/"])]);
        for (path, route) in [
            ("/", "/"),
            ("/mcp", "/mcp"),
            ("/mcp/", "/mcp"),
            ("/mcpx", "/"),
            ("/mcp/admin/x", "/mcp/admin"),
            ("//mcp//admin", "/mcp/admin"),
            ("/mcp/%61dmin", "/mcp/admin"),
            ("/files", "/"),
            ("/files/a", "/files/"),
        ] {
            assert_eq!(
                find(&r, "h", path).map(|(_, route)| route),
                Some(route),
                "{path}"
            );
        }
    }

    #[test]
    fn names_before_wildcards_before_any() {
        let exact = [HostName::Exact("a.example".into())];
        let wildcard = [HostName::Wildcard("example".into())];
        let r = router(&[(&wildcard, &["/"]), (&exact, &["/"])]);
        assert_eq!(find(&r, "A.example:443", "/").map(|(n, _)| n), Some(1));
        assert_eq!(find(&r, "b.example", "/").map(|(n, _)| n), Some(0));
        assert_eq!(find(&r, "a.b.example", "/"), None);
        assert_eq!(find(&r, "example", "/"), None);
    }
}

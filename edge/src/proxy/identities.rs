//! What numbers in shared tables are kept under: routes by what they are for, not by their place.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::config::Config;

/// For each route, by its number, a number that a reload does not change: not when routes are added,
/// removed or put in another order. So nobody's count starts anew, and none becomes another's.
pub(super) struct Identities(Box<[u64]>);

impl Identities {
    pub(super) fn new(config: &Config) -> Identities {
        let of_host = config.hosts.iter().flat_map(|host| {
            let mut names: Vec<String> = host.names.iter().map(ToString::to_string).collect();
            names.sort_unstable();
            host.routes.iter().map(move |route| {
                let mut hasher = DefaultHasher::new();
                (&names, route.when.identity()).hash(&mut hasher);
                hasher.finish()
            })
        });
        Identities(of_host.collect())
    }

    /// Of the route with this number.
    pub(super) fn of(&self, route: usize) -> u64 {
        self.0[route]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn identities(hosts: &[(&str, &[&str])]) -> Vec<u64> {
        let mut text = String::new();
        for (names, routes) in hosts {
            text.push_str(&format!("[[host]]\nnames = {names}\n"));
            for route in *routes {
                text.push_str(&format!("[[host.route]]\n{route}\nrespond = 200\n"));
            }
        }
        let config = Config::parse(&text, Path::new("/edge.toml"));
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        let identities = Identities::new(&config);
        (0..identities.0.len()).map(|n| identities.of(n)).collect()
    }

    #[test]
    fn a_route_keeps_its_identity_wherever_it_stands() {
        let (a, b) = ("path = \"/a\"", "path = \"/b\"");
        let post = "path = \"/a\"\nmethods = [\"POST\", \"GET\"]";
        let turned = "path = \"/a\"\nmethods = [\"GET\", \"POST\"]";
        let exact = "exact = \"/a\"";
        let one = identities(&[("[\"x\"]", &[a, b, post]), ("[\"y\", \"z\"]", &[a, exact])]);
        let other = identities(&[
            ("[\"z\", \"y\"]", &[exact, a]),
            ("[\"x\"]", &[turned, b, a]),
        ]);
        assert_eq!(one, [other[4], other[3], other[2], other[1], other[0]]);
        let mut different = one.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), one.len());
    }
}

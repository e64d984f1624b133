//! Maintenance switched by hand, over what the configuration says.
//!
//! It holds until it is taken back or the process ends; a reload changes nothing about it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{Host, HostName};

/// Switches of the whole process; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Switches(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// For hosts that have no switch of their own.
    all: Option<bool>,
    /// By a name of the host.
    own: BTreeMap<String, bool>,
    /// Names in the configuration in force.
    known: Vec<String>,
}

/// No host of the configuration has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownHost(pub String);

impl fmt::Display for UnknownHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.0;
        write!(
            f,
            "no [[host]] has the name {name:?}; write it as the configuration does"
        )
    }
}

impl Switches {
    /// Takes note of the hosts that there are now. A switch of one that is gone goes with it.
    pub(super) fn know(&self, hosts: &[Host]) {
        let names = hosts.iter().flat_map(|host| &host.names);
        let known: Vec<String> = names.map(HostName::to_string).collect();
        let mut state = self.state();
        state.own.retain(|name, _| known.contains(name));
        state.known = known;
    }

    /// Switches a host, or all of them and each of them; `None` is as the configuration says.
    pub fn set(&self, host: Option<&str>, to: Option<bool>) -> Result<(), UnknownHost> {
        let mut state = self.state();
        let Some(host) = host else {
            state.all = to;
            state.own.clear();
            return Ok(());
        };
        let name = host.to_ascii_lowercase();
        if !state.known.contains(&name) {
            return Err(UnknownHost(host.to_owned()));
        }
        match to {
            Some(to) => state.own.insert(name, to),
            None => state.own.remove(&name),
        };
        Ok(())
    }

    /// What is switched for a host with these names.
    pub(super) fn of(&self, names: &[HostName]) -> Option<bool> {
        let state = self.state();
        if state.own.is_empty() {
            return state.all;
        }
        let mut names = names.iter().map(HostName::to_string);
        names
            .find_map(|name| state.own.get(&name).copied())
            .or(state.all)
    }

    /// What is switched: for all hosts, and for some by their names.
    pub fn list(&self) -> (Option<bool>, Vec<(String, bool)>) {
        let state = self.state();
        let own = state.own.iter();
        (
            state.all,
            own.map(|(name, to)| (name.clone(), *to)).collect(),
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::testing;

    #[test]
    fn a_host_before_all_and_all_before_the_configuration() {
        let hosts = testing::config().hosts;
        let switches = Switches::default();
        switches.know(&hosts);
        let of = |index: usize| switches.of(&hosts[index].names);
        assert_eq!((of(0), of(1)), (None, None));
        switches.set(None, Some(true)).expect("all");
        assert_eq!((of(0), of(1)), (Some(true), Some(true)));
        switches
            .set(Some("*.Example.com"), Some(false))
            .expect("there is one");
        assert_eq!((of(0), of(1)), (Some(true), Some(false)));
        let list = (Some(true), vec![("*.example.com".to_owned(), false)]);
        assert_eq!(switches.list(), list);
        let unknown = switches.set(Some("b.example.com"), Some(true));
        assert_eq!(unknown, Err(UnknownHost("b.example.com".to_owned())));
        switches.know(&hosts[..1]);
        assert_eq!(of(1), Some(true), "it goes with its host");
        switches.set(Some("*"), Some(false)).expect("there is one");
        switches.set(None, None).expect("all");
        assert_eq!((of(0), of(1)), (None, None));
    }
}

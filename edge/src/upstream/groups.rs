//! Every group of a configuration, for one worker.

use std::rc::Rc;

use super::fleet::Fleet;
use super::group::Group;
use crate::clock::monotonic_ns;
use crate::config::{Bounds, UpstreamId};

/// Every group of the configuration, for one worker.
pub struct Upstreams {
    groups: Vec<Rc<Group>>,
}

impl Upstreams {
    /// A pool for every server of every configured group. A server that a group of the same name
    /// had before comes along with its connections, unless heads are bounded differently now.
    pub fn new(fleet: &Fleet, bounds: &Bounds, previous: Option<&Upstreams>) -> Upstreams {
        let known = previous.map_or(&[][..], |previous| &previous.groups);
        let groups = fleet.rosters().iter().map(|roster| {
            let same = known.iter().find(|group| {
                group.name() == roster.settings.name
                    && group.bounds == *bounds
                    && group.roster.settings.connects_like(&roster.settings)
            });
            Rc::new(Group::new(roster, bounds, same.map(|group| &**group)))
        });
        Upstreams {
            groups: groups.collect(),
        }
    }

    /// A group by its number in the configuration.
    pub fn group(&self, id: UpstreamId) -> &Rc<Group> {
        &self.groups[id.0]
    }

    /// Regular upkeep of all pools; called about once a second.
    pub fn sweep(&self) {
        let now_ns = monotonic_ns();
        for group in &self.groups {
            group.sweep(now_ns);
        }
    }

    /// Open connections per group: in use and idle. Tells the other workers what is under way.
    pub fn connections(&self) -> impl Iterator<Item = (UpstreamId, usize)> {
        self.groups.iter().enumerate().map(|(index, group)| {
            let servers = group.servers();
            let protocol = group.roster.settings.protocol;
            servers.iter().for_each(|server| server.tell());
            let open = servers.iter().map(|server| server.open(protocol)).sum();
            (UpstreamId(index), open)
        })
    }
}

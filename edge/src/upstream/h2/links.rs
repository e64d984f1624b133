//! The connections of one worker to one server.

use std::cell::RefCell;
use std::rc::Rc;

use super::link::{Hold, Link};
use crate::config::Multiplexing;

/// The connections of one worker to one server.
#[derive(Default)]
pub(in crate::upstream) struct Links(RefCell<Vec<Rc<Link>>>);

impl Links {
    /// A place on a connection that is open.
    pub(in crate::upstream) fn take(&self, bounds: Multiplexing) -> Option<Hold> {
        self.forget_closed();
        let links = self.0.borrow();
        let mut with_room = links.iter().filter(|link| !link.is_opening());
        // The first that will do, so that those beyond what is needed fall idle.
        let link = with_room.find(|link| link.has_room(bounds.streams))?;
        Some(Hold::of(link))
    }

    /// A place on a connection that is being opened, and the connection if somebody has to open it.
    pub(in crate::upstream) fn wait(
        &self,
        bounds: Multiplexing,
    ) -> Option<(Hold, Option<Rc<Link>>)> {
        self.forget_closed();
        let mut links = self.0.borrow_mut();
        if let Some(link) = links.iter().find(|link| link.has_room(bounds.streams)) {
            return Some((Hold::of(link), None));
        }
        if links.len() >= bounds.connections {
            return None;
        }
        let link = Link::opening();
        links.push(Rc::clone(&link));
        Some((Hold::of(&link), Some(link)))
    }

    /// Whether there is a place now, on a connection that is there or on a new one.
    pub(in crate::upstream) fn has_room(&self, bounds: Multiplexing) -> bool {
        self.forget_closed();
        let links = self.0.borrow();
        links.len() < bounds.connections || links.iter().any(|link| link.has_room(bounds.streams))
    }

    /// Closes what has been idle since before `idle_before_ns`.
    pub(in crate::upstream) fn sweep(&self, idle_before_ns: u64) {
        self.forget_closed();
        let is_wanted = |link: &Rc<Link>| {
            link.is_opening() || link.streams() > 0 || link.idle_since_ns.get() > idle_before_ns
        };
        self.0.borrow_mut().retain(is_wanted);
    }

    /// Takes the connections that there were under other settings.
    pub(in crate::upstream) fn take_over(&self, before: &Links) {
        self.0.swap(&before.0);
    }

    pub(in crate::upstream) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Lets go of connections that get no stream any more; those under way hold them.
    fn forget_closed(&self) {
        let lasts = |link: &Rc<Link>| link.is_opening() || link.is_open();
        self.0.borrow_mut().retain(lasts);
    }
}

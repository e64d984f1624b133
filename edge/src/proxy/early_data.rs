//! Which requests may be answered although they could be a replay (RFC 8470).

use super::configured::Proxy;
use super::router::Match;
use crate::config::Access;
use crate::message::RequestHead;

impl Proxy {
    /// Whether the route of a request says that it may. Nobody has shown yet that he is where he seems to
    /// be, so it waits where that decides who may ask, and where it would count what he guesses.
    pub fn takes_early_data(&self, head: &RequestHead) -> bool {
        match self.router.find(head) {
            Match::Route { route, .. } => {
                route.early_data && route.access == Access::default() && route.auth.is_none()
            }
            _ => false,
        }
    }
}

//! Which requests may be answered although they could be a replay (RFC 8470).

use super::configured::Proxy;
use super::router::Match;
use crate::message::RequestHead;

impl Proxy {
    /// Whether the route of a request says that it may.
    pub fn takes_early_data(&self, head: &RequestHead) -> bool {
        match self.router.find(head) {
            Match::Route { route, .. } => route.early_data,
            _ => false,
        }
    }
}

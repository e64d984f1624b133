//! What a route asks of its clients before it acts, beyond where they come from.
//!
//! Access fails closed: whatever goes wrong on the way to an answer is a refusal.

mod credentials;
mod question;
mod subrequest;
mod verdicts;
mod verified;

use std::rc::Rc;

use super::caller::Caller;
use super::configured::Proxy;
use super::guard::Refusal;
use super::trace::Trace;
use crate::config::Authentication;
use crate::message::RequestHead;

pub(super) use subrequest::Consent;
pub(super) use verdicts::Verdicts;
pub(super) use verified::Verified;

impl Proxy {
    /// Asks everything that a route wants to know, what is quick to say first; hands out what the upstream is to be told.
    pub(super) async fn authenticate(
        &self,
        route: usize,
        auth: &Authentication,
        head: &RequestHead,
        caller: &Caller,
        trace: Option<&Trace>,
    ) -> Result<Option<Rc<Consent>>, Refusal> {
        let peer = &caller.peer;
        if let Some(keys) = &auth.keys {
            self.check_key(keys, head, peer)?;
        }
        if let Some(basic) = &auth.basic {
            self.check_password(basic, head, peer).await?;
        }
        let Some(request) = &auth.request else {
            return Ok(None);
        };
        let consent = self.subrequest(route, request, head, caller, trace).await?;
        if let Some(user) = &consent.user {
            peer.identify(user);
        }
        Ok(Some(consent))
    }
}

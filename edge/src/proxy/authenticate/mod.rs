//! What a route asks of its clients before it acts, beyond where they come from.
//!
//! Access fails closed: whatever goes wrong on the way to an answer is a refusal.

mod bearer;
mod credentials;
mod question;
mod subrequest;
mod verdicts;
mod verified;

use std::rc::Rc;

use super::caller::Caller;
use super::configured::Proxy;
use super::guard::Refusal;
use super::mcp;
use super::preflight::is_preflight;
use super::trace::Trace;
use crate::config::Route;
use crate::message::RequestHead;

pub(super) use bearer::{Gates, Remembered, Unproved};
pub(super) use subrequest::Consent;
pub(super) use verdicts::Verdicts;
pub(super) use verified::Verified;

impl Proxy {
    /// Asks everything that a route wants to know, what is quick to say first; hands out what the upstream is to be told.
    pub(super) async fn authenticate(
        &self,
        number: usize,
        route: &Route,
        head: &RequestHead,
        caller: &Caller,
        trace: Option<&Trace>,
    ) -> Result<Option<Rc<Consent>>, Refusal> {
        let (peer, auth) = (&caller.peer, &route.auth);
        let asks_for_proof = !is_preflight(head);
        if let Some(keys) = auth.keys.as_ref().filter(|_| asks_for_proof) {
            self.check_key(keys, head, peer)?;
        }
        if let Some(jwt) = &auth.jwt {
            match route.action.mcp() {
                Some(mcp) if mcp::is_open(head, mcp) => {}
                Some(_) => {
                    if self.check_token(number, jwt, head, peer).is_err() {
                        // The refusal is one in JSON-RPC: see `Proxy::authorize`.
                        return Ok(None);
                    }
                }
                None if !asks_for_proof => {}
                None => {
                    let proof = self.check_token(number, jwt, head, peer).as_ref();
                    proof.map_err(|unproved| unproved.refusal(jwt))?;
                }
            }
        }
        if let Some(basic) = auth.basic.as_ref().filter(|_| asks_for_proof) {
            self.check_password(basic, head, peer).await?;
        }
        let Some(request) = &auth.request else {
            return Ok(None);
        };
        if !asks_for_proof {
            // A service that was not asked has said nothing, and nobody says it in its place.
            return Ok(Some(Rc::default()));
        }
        let consent = self
            .subrequest(number, request, head, caller, trace)
            .await?;
        if let Some(user) = &consent.user {
            peer.identify(user);
        }
        Ok(Some(consent))
    }
}

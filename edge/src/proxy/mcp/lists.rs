//! Lists on routes that keep them (`list_cache`).

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::Method;

use super::call::Call;
use crate::config::Mcp;
use crate::mcp::{Era, is_list};
use crate::message::RequestHead;
use crate::proxy::account::Record;
use crate::proxy::cache::{ListAsked, ListTerms};
use crate::proxy::configured::Proxy;
use crate::proxy::exchange::Downstream;

impl Call {
    /// Whether a list is asked for on a route that keeps them. Only the modern era's servers say how
    /// long, and only its headers tell before the body has come.
    pub(super) fn asks_for_list(&self, head: &RequestHead, mcp: &Mcp) -> bool {
        mcp.list_cache.is_some()
            && self.era == Era::Modern
            && head.method == Method::POST
            && head.upgrade.is_none()
            && self.subject.method.get().is_some_and(is_list)
    }
}

impl Proxy {
    /// Answers a request for a list from what is kept: `true`. Else its answer is watched for.
    pub(super) async fn answer_list<'a, D: Downstream>(
        &'a self,
        head: &RequestHead,
        client: &mut D,
        most: Duration,
        mcp: &Mcp,
        call: &Call,
        record: &mut Record<'a>,
    ) -> bool {
        let Some(tables) = self.mcp.as_ref().filter(|_| call.asks_for_list(head, mcp)) else {
            return false;
        };
        let upstream = self.upstreams.group(call.upstream()).name();
        let terms = ListTerms {
            most,
            token_checked: call.claims.is_some(),
            changes: tables.changes(upstream).load(Relaxed),
        };
        let route = self.identities.of(call.route);
        let body = call.prefix.whole();
        let asked = body.and_then(|body| ListAsked::of(head, &body, route, &terms));
        record.upstream_name = Some(upstream);
        record.capture = self.kept_list(asked, client, record).await;
        record.capture.is_none()
    }
}

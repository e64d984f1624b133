//! A new answer fetched behind the back of a client that has got the stale one.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Method;

use super::capture::{Capture, Flight, Learning};
use super::key::Question;
use super::revalidate::Conditions;
use super::stored::Stored;
use crate::config::{Action, CacheRules};
use crate::message::{Fields, Frame, RequestHead, ResponseHead};
use crate::net::{self, Timer};
use crate::proxy::account::Record;
use crate::proxy::caller::Caller;
use crate::proxy::configured::Proxy;
use crate::proxy::exchange::{ClientError, Downstream, Peer};
use crate::proxy::facts::Facts;
use crate::proxy::request_id::RequestId;
use crate::proxy::rules::ResponseRules;

impl Proxy {
    /// Asks anew, unless somebody does already.
    pub(super) fn refresh_behind(
        &self,
        stored: &Rc<Stored>,
        question: &Question,
        head: &RequestHead,
        peer: &Peer,
        rules: &Arc<CacheRules>,
        route: usize,
    ) {
        let (Some(proxy), Ok(flight)) = (
            self.this.upgrade(),
            Flight::start(&self.cache, &question.key),
        ) else {
            return;
        };
        let mut head = head.clone();
        let caller = Caller {
            peer: peer.clone(),
            request_id: RequestId::new(),
        };
        head.method = Method::GET;
        let _ = Conditions::take(&mut head);
        let request = head.fields.clone();
        let old = stored.can_be_asked_about().then(|| Rc::clone(stored));
        if let Some(old) = &old {
            old.ask_about(&mut head);
        }
        let learning = Learning {
            store: Rc::clone(&self.cache),
            key: Rc::clone(&question.key),
            credentials: question.credentials,
            request,
            rules: Arc::clone(rules),
            flight: Some(flight),
        };
        let capture = Box::new(Capture::new(Some(learning), None, old));
        net::spawn(async move { proxy.refresh(head, caller, route, capture).await });
    }

    async fn refresh(
        &self,
        mut head: RequestHead,
        caller: Caller,
        route: usize,
        capture: Box<Capture>,
    ) {
        let action = self.router.route(route).map(|route| &route.action);
        let Some(Action::Proxy(action)) = action else {
            return;
        };
        let facts = Facts {
            head: &head,
            peer: &caller.peer,
            request_id: &caller.request_id,
            when: None,
        };
        let rules = ResponseRules::new(&[], &facts);
        let mut record = Record::start(self, &head, &caller, &rules);
        record.capture = Some(capture);
        let mut nobody = Nobody::default();
        Box::pin(self.pass(
            &mut head,
            &mut nobody,
            &caller.peer,
            action,
            None,
            &mut record,
        ))
        .await;
    }
}

/// A client that has sent its whole request and takes everything.
#[derive(Default)]
struct Nobody {
    timer: Timer,
}

impl Downstream for Nobody {
    fn poll_body(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Frame>, ClientError>> {
        Poll::Ready(Ok(None))
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn drop_body(&mut self) {}

    fn send_interim(&mut self, _: &ResponseHead) {}

    fn send_head(&mut self, _: &ResponseHead) {}

    fn send_data(&mut self, _: Bytes) {}

    fn send_end(&mut self, _: Option<&Fields>) {}

    fn abort(&mut self) {}

    fn queued(&self) -> usize {
        0
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }
}

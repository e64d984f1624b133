//! Answers of upstreams, stored for a while and given to others who ask the same (RFC 9111).
//!
//! Every worker has a store of its own: nothing is shared, nothing is locked, and a question may be
//! asked once per worker. A store belongs to one configuration and goes with it.

mod behind;
mod capture;
mod key;
mod list;
mod policy;
mod revalidate;
mod store;
mod stored;

use std::future::{Future as _, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::{Method, StatusCode};
use tokio::sync::Notify;

pub(super) use capture::Capture;
pub(super) use list::{ListAsked, ListTerms};
pub(super) use store::Store;

use self::capture::{Confirmed, Flight, Learning};
use self::key::Question;
use self::revalidate::Conditions;
use self::stored::{State, Stored};
use super::account::Record;
use super::configured::Proxy;
use super::deliver::Content;
use super::exchange::{ClientError, Downstream, Peer};
use super::reply::Reply;
use crate::clock::monotonic_ns;
use crate::config::{CacheRules, ProxyAction};
use crate::content::{CacheControl, Validators, Verdict};
use crate::message::{BodyLength, RequestHead, ResponseHead};
use crate::observe::CacheResult;

/// What a client says about caches, where the route listens to it.
#[derive(Clone, Copy, Default)]
struct Wishes {
    /// It wants an answer from the upstream.
    anew: bool,
    /// It wants none from there.
    only_stored: bool,
}

/// What is known before the upstream is asked.
enum Turn {
    /// It is answered.
    Answered,
    /// The upstream is asked without a look at the store.
    Bypass,
    /// The upstream is asked.
    Ask(Ask),
}

/// What is known when the upstream is asked.
#[derive(Default)]
struct Ask {
    /// What is sent if it fails.
    stale: Option<Rc<Stored>>,
    /// What it is asked about.
    old: Option<Rc<Stored>>,
    flight: Option<Flight>,
}

impl Proxy {
    /// Answers from the store, or passes the request on and stores the answer.
    pub(super) async fn pass_cached<'a, D: Downstream>(
        &'a self,
        head: &mut RequestHead,
        client: &mut D,
        peer: &Peer,
        action: &'a ProxyAction,
        identified: bool,
        record: &mut Record<'a>,
    ) {
        let Some(rules) = &action.cache else {
            return self.pass(head, client, peer, action, None, record).await;
        };
        let route = record.route.unwrap_or(0);
        let control = match rules.client_directives {
            true => CacheControl::of(&head.fields),
            false => CacheControl::default(),
        };
        let wishes = Wishes {
            anew: control.no_cache || control.max_age == Some(0),
            only_stored: control.only_if_cached,
        };
        let question = Question::of(head, peer, rules, route).filter(|_| !control.no_store);
        let question = question.map(|question| Question {
            credentials: question.credentials || identified,
            ..question
        });
        let turn = match &question {
            Some(question) => {
                let asked = Asked {
                    question,
                    rules,
                    route,
                    wishes,
                };
                self.look(&asked, head, client, peer, record).await
            }
            None => Turn::Bypass,
        };
        let mut conditions = None;
        let capture = match (turn, &question) {
            (Turn::Answered, _) => return,
            (Turn::Ask(Ask { stale, old, flight }), Some(question)) => {
                let stores = !question.is_head;
                let old = old.filter(|_| stores);
                // The whole answer is wanted, not only whether one client's is out of date.
                if flight.is_some() || old.is_some() {
                    conditions = Some(Conditions::take(head));
                }
                let learning = stores.then(|| Learning {
                    store: Rc::clone(&self.cache),
                    key: Rc::clone(&question.key),
                    credentials: question.credentials,
                    request: head.fields.clone(),
                    rules: Arc::clone(rules),
                    flight,
                });
                if let Some(old) = &old {
                    old.ask_about(head);
                }
                record.cache = Some(CacheResult::Miss);
                Capture::new(learning, stale, old)
            }
            (Turn::Bypass | Turn::Ask(_), _) => {
                record.cache = Some(CacheResult::Bypass);
                Capture::bypass()
            }
        };
        record.capture = Some(Box::new(capture));
        self.pass(head, client, peer, action, None, record).await;
        if let Some(conditions) = conditions {
            conditions.restore(head);
        }
        let Capture {
            stale, confirmed, ..
        } = record
            .capture
            .take()
            .map_or_else(Capture::bypass, |capture| *capture);
        match (record.status, confirmed, stale) {
            (None, Some(Confirmed::Stored(stored)), _) => {
                let result = CacheResult::Revalidated;
                return self.serve(&stored, result, head, client, record).await;
            }
            (None, Some(Confirmed::Other), _) => {
                record.capture = Some(Box::new(Capture::new(None, None, None)));
                let again = self.pass(head, client, peer, action, None, record);
                return Box::pin(again).await;
            }
            (None, None, Some(stale)) => {
                let result = CacheResult::Stale;
                return self.serve(&stale, result, head, client, record).await;
            }
            _ => {}
        }
        // RFC 9111 §4.4: what has been written to has another answer now.
        let is_safe = matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let succeeded = record
            .status
            .is_some_and(|status| status.is_success() || status.is_redirection());
        if !is_safe && succeeded {
            let key = key::key(head, peer, rules, route);
            self.cache.borrow_mut().remove(&key);
        }
    }

    /// Looks into the store; waits for somebody who asks the same. When that comes to nothing, one of those
    /// who wait asks in their place.
    async fn look<D: Downstream>(
        &self,
        asked: &Asked<'_>,
        head: &RequestHead,
        client: &mut D,
        peer: &Peer,
        record: &mut Record<'_>,
    ) -> Turn {
        let Asked {
            question,
            rules,
            wishes,
            ..
        } = *asked;
        let mut waits_until_ns = rules
            .wait
            .filter(|_| !question.credentials && !question.is_head)
            .map(|wait| monotonic_ns().saturating_add(wait.as_nanos() as u64));
        loop {
            let now_ns = monotonic_ns();
            let known = self
                .cache
                .borrow_mut()
                .find(&question.key, &head.fields, now_ns);
            let mut ask = Ask::default();
            let is_barred = |stored: &Stored| question.credentials && !stored.freshness.public;
            if let Some(stored) = &known.stored
                && !wishes.anew
            {
                if is_barred(stored) {
                    return Turn::Bypass;
                }
                let result = match stored.state(now_ns) {
                    State::Fresh => Some(CacheResult::Hit),
                    State::WhileRevalidating => Some(CacheResult::Stale),
                    State::IfError => None,
                    State::Useless => None,
                };
                if let Some(result) = result {
                    if result == CacheResult::Stale {
                        self.refresh_behind(stored, question, head, peer, rules, asked.route);
                    }
                    self.serve(stored, result, head, client, record).await;
                    return Turn::Answered;
                }
                if stored.state(now_ns) == State::IfError {
                    ask.stale = Some(Rc::clone(stored));
                }
            }
            let can_be_asked =
                |stored: &Rc<Stored>| !is_barred(stored) && stored.can_be_asked_about();
            ask.old = known.stored.filter(can_be_asked);
            if wishes.only_stored {
                record.cache = Some(CacheResult::Miss);
                let reply = Reply::new(StatusCode::GATEWAY_TIMEOUT).with("x-cache", "MISS");
                self.reply(reply, client, &head.method, record).await;
                return Turn::Answered;
            }
            if question.credentials || question.is_head || known.passes {
                return Turn::Ask(ask);
            }
            let landing = match Flight::start(&self.cache, &question.key) {
                Ok(flight) => {
                    ask.flight = Some(flight);
                    return Turn::Ask(ask);
                }
                Err(landing) => landing,
            };
            let Some(until_ns) = waits_until_ns.filter(|until_ns| *until_ns > now_ns) else {
                return Turn::Ask(ask);
            };
            if wait_for(&landing.notify, client, until_ns).await.is_err() {
                record.error = Some(ClientError::Gone.reason());
                record.status = Some(ClientError::Gone.status());
                client.abort();
                return Turn::Answered;
            }
            if landing.answered.get() {
                waits_until_ns = None;
            }
        }
    }

    /// Sends a stored answer, or that the client has it already.
    async fn serve<D: Downstream>(
        &self,
        stored: &Stored,
        result: CacheResult,
        head: &RequestHead,
        client: &mut D,
        record: &mut Record<'_>,
    ) {
        record.cache = Some(result);
        let mut fields = stored.fields.clone();
        let age = stored.age(monotonic_ns());
        fields.push(b"age", itoa::Buffer::new().format(age).as_bytes());
        fields.push(b"x-cache", result.name().as_bytes());
        let validators = Validators::of(&stored.fields);
        let unchanged =
            stored.status.is_success() && validators.judge(&head.fields) == Verdict::NotModified;
        let (status, length, content) = match unchanged {
            true => {
                // RFC 9110 §15.4.5: what describes content that is not sent may be left out.
                fields.retain(|_, name, _| !name.to_ascii_lowercase().starts_with(b"content-"));
                let status = StatusCode::NOT_MODIFIED;
                (status, BodyLength::Empty, Content::default())
            }
            false => {
                let body = stored.body.clone();
                let length = match stored.status {
                    StatusCode::NO_CONTENT => BodyLength::Empty,
                    _ => BodyLength::Exact(body.len() as u64),
                };
                (stored.status, length, Content::of_memory(body))
            }
        };
        let response = ResponseHead {
            status,
            fields,
            length,
        };
        let is_head = head.method == Method::HEAD;
        self.deliver(response, content, client, is_head, record)
            .await;
    }
}

/// A question with everything that the way of its answer depends on.
#[derive(Clone, Copy)]
struct Asked<'a> {
    question: &'a Question,
    rules: &'a Arc<CacheRules>,
    route: usize,
    wishes: Wishes,
}

/// Ready when somebody else's answer has come, or it is time to ask oneself; an error when the
/// client has gone.
async fn wait_for<D: Downstream>(landed: &Notify, client: &mut D, until_ns: u64) -> Result<(), ()> {
    let mut landed = Box::pin(landed.notified());
    landed.as_mut().enable();
    poll_fn(|cx| {
        if landed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(()));
        }
        client.timer().poll(cx, until_ns).map(Ok)
    })
    .await
}

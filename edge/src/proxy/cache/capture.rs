//! An answer that passes by, and what is kept of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use tokio::sync::Notify;

use super::list::ListCapture;
use super::policy::{Freshness, freshness};
use super::store::{Key, Store};
use super::stored::{Stored, joined};
use crate::clock::monotonic_ns;
use crate::config::CacheRules;
use crate::message::{BodyLength, Fields, ResponseHead};
use crate::observe::CacheResult;

/// For so long nobody waits for another's answer after one that could not be stored.
const PASS_NS: u64 = 10_000_000_000;
/// An answer that depends on more is another for nearly everybody.
const VARY_MAX: usize = 8;

/// Watches an answer on its way from the upstream.
pub(in crate::proxy) struct Capture {
    result: CacheResult,
    learning: Option<Learning>,
    storing: Option<Storing>,
    list: Option<ListCapture>,
    /// What is sent if there is no answer.
    pub(super) stale: Option<Rc<Stored>>,
    /// What the upstream is asked about.
    old: Option<Rc<Stored>>,
    /// What has come of that.
    pub(super) confirmed: Option<Confirmed>,
}

/// What an upstream has answered that was asked about a stored answer.
pub(super) enum Confirmed {
    /// It is still right, and is this now.
    Stored(Rc<Stored>),
    /// It means another one.
    Other,
}

/// Where an answer goes that may be stored.
pub(super) struct Learning {
    pub(super) store: Rc<RefCell<Store>>,
    pub(super) key: Key,
    pub(super) credentials: bool,
    /// As the upstream got them.
    pub(super) request: Fields,
    pub(super) rules: Arc<CacheRules>,
    pub(super) flight: Option<Flight>,
}

/// An answer that is being stored.
struct Storing {
    status: StatusCode,
    fields: Fields,
    length: BodyLength,
    vary: Vec<(Box<str>, Option<Vec<u8>>)>,
    freshness: Freshness,
    at_ns: u64,
    body: BytesMut,
}

impl Capture {
    /// Stores nothing, and says so.
    pub(super) fn bypass() -> Capture {
        Capture {
            result: CacheResult::Bypass,
            learning: None,
            storing: None,
            list: None,
            stale: None,
            old: None,
            confirmed: None,
        }
    }

    /// Stores what comes. `stale` is for want of an answer; `old` is what the request asks about.
    pub(super) fn new(
        learning: Option<Learning>,
        stale: Option<Rc<Stored>>,
        old: Option<Rc<Stored>>,
    ) -> Capture {
        Capture {
            result: CacheResult::Miss,
            learning,
            storing: None,
            list: None,
            stale,
            old,
            confirmed: None,
        }
    }

    /// Watches for a list.
    pub(super) fn of_list(list: ListCapture) -> Capture {
        Capture {
            list: Some(list),
            ..Capture::new(None, None, None)
        }
    }

    /// Whether there is something to be sent instead of an answer that fails.
    pub(in crate::proxy) fn has_stale(&self) -> bool {
        self.stale.is_some()
    }

    /// Whether that is better than an answer with this status (RFC 5861 §4).
    pub(in crate::proxy) fn replaces(&self, status: StatusCode) -> bool {
        self.has_stale() && matches!(status.as_u16(), 500 | 502 | 503 | 504)
    }

    /// Whether an answer says that what is stored is still right; the client gets that then.
    pub(in crate::proxy) fn takes(&mut self, head: &ResponseHead) -> bool {
        if head.status != StatusCode::NOT_MODIFIED {
            return false;
        }
        let Some(old) = self.old.take() else {
            return false;
        };
        self.confirmed = Some(match self.learning.take() {
            Some(learning) if old.is_meant_by(&head.fields) => {
                Confirmed::Stored(learning.freshen(&old, head))
            }
            Some(learning) => {
                learning.store.borrow_mut().remove(&learning.key);
                Confirmed::Other
            }
            None => Confirmed::Other,
        });
        true
    }

    /// The head comes, before any rule of the route has changed it.
    pub(in crate::proxy) fn responds(&mut self, head: &mut ResponseHead) {
        head.fields.remove_all("x-cache");
        if let Some(learning) = &self.learning {
            if let Some(flight) = &learning.flight {
                flight.landing.answered.set(!head.status.is_server_error());
            }
            self.storing = learning.judge(head);
            if self.storing.is_none() {
                // An error says nothing about the answers after it.
                self.release(!head.status.is_server_error());
            }
        }
        if let Some(list) = &mut self.list {
            list.responds(head);
        }
        head.fields.push(b"x-cache", self.result.name().as_bytes());
    }

    /// Content comes.
    pub(in crate::proxy) fn passed(&mut self, data: &Bytes) {
        if let Some(list) = &mut self.list {
            list.passed(data);
        }
        let (Some(storing), Some(learning)) = (&mut self.storing, &self.learning) else {
            return;
        };
        if storing.body.len() + data.len() > learning.rules.object_bytes_max {
            self.storing = None;
            self.release(true);
            return;
        }
        storing.body.extend_from_slice(data);
    }

    /// It has come to its end; `whole` unless trailers followed, which are not stored.
    pub(in crate::proxy) fn ended(&mut self, whole: bool) {
        if let Some(list) = &mut self.list {
            list.ended(whole);
        }
        let (Some(storing), Some(learning)) = (self.storing.take(), self.learning.take()) else {
            return;
        };
        let is_short = match storing.length {
            BodyLength::Exact(length) => length != storing.body.len() as u64,
            _ => false,
        };
        if !whole || is_short {
            return;
        }
        let body = Bytes::copy_from_slice(&storing.body);
        let stored = storing.with_body(body);
        learning.store.borrow_mut().put(&learning.key, stored);
    }

    /// Those who wait for the answer need not.
    fn release(&mut self, passes: bool) {
        let Some(learning) = self.learning.take() else {
            return;
        };
        // Who shows who they are may be told what nobody else is.
        if passes && !learning.credentials {
            let until_ns = monotonic_ns() + PASS_NS;
            let mut store = learning.store.borrow_mut();
            store.pass(&learning.key, until_ns);
        }
    }
}

impl Learning {
    /// Stores an answer anew with what its confirmation says (RFC 9111 §4.3.4).
    fn freshen(self, old: &Stored, confirmation: &ResponseHead) -> Rc<Stored> {
        let head = old.freshened(confirmation);
        let mut store = self.store.borrow_mut();
        match self.judge(&head) {
            Some(storing) => {
                let stored = Rc::new(storing.with_body(old.body.clone()));
                store.put(&self.key, Rc::clone(&stored));
                stored
            }
            // Right for this client, and for nobody after it.
            None => {
                store.remove(&self.key);
                Rc::new(Stored {
                    status: head.status,
                    fields: head.fields,
                    body: old.body.clone(),
                    vary: old.vary.clone(),
                    freshness: Freshness::default(),
                    at_ns: monotonic_ns(),
                    list: None,
                })
            }
        }
    }

    /// What is to be kept of an answer; `None` for nothing.
    fn judge(&self, head: &ResponseHead) -> Option<Storing> {
        let freshness = freshness(head, &self.rules, self.credentials)?;
        let most = self.rules.object_bytes_max as u64;
        if matches!(head.length, BodyLength::Exact(length) if length > most) {
            return None;
        }
        let mut vary: Vec<(Box<str>, Option<Vec<u8>>)> = Vec::new();
        for value in head.fields.values_of("vary") {
            for name in value.split(|&b| b == b',') {
                let name = str::from_utf8(name).ok()?.trim().to_ascii_lowercase();
                let is_known = |(known, _): &(Box<str>, _)| **known == *name;
                match &*name {
                    "*" => return None,
                    "" => {}
                    _ if vary.iter().any(is_known) => {}
                    _ if vary.len() == VARY_MAX => return None,
                    name => vary.push((name.into(), joined(&self.request, name))),
                }
            }
        }
        vary.sort();
        let mut fields = head.fields.clone();
        fields.remove_all("age");
        Some(Storing {
            status: head.status,
            fields,
            length: head.length,
            vary,
            freshness,
            at_ns: monotonic_ns(),
            body: BytesMut::new(),
        })
    }
}

impl Storing {
    fn with_body(self, body: Bytes) -> Stored {
        Stored {
            status: self.status,
            fields: self.fields,
            body,
            vary: self.vary,
            freshness: self.freshness,
            at_ns: self.at_ns,
            list: None,
        }
    }
}

/// A question that is being asked. When it lands, stored or not, those who wait go on.
pub(super) struct Flight {
    store: Rc<RefCell<Store>>,
    key: Key,
    landing: Rc<Landing>,
}

/// The end of a flight, for those who wait for it.
#[derive(Default)]
pub(super) struct Landing {
    pub(super) notify: Notify,
    /// There was an answer, so that to ask for it again one by one is of no use.
    pub(super) answered: Cell<bool>,
}

impl Flight {
    /// Starts to ask; or whom to wait for.
    pub(super) fn start(store: &Rc<RefCell<Store>>, key: &Key) -> Result<Flight, Rc<Landing>> {
        let mut flights = store.borrow_mut();
        if let Some(landing) = flights.flights.get(key) {
            return Err(Rc::clone(landing));
        }
        let landing = Rc::<Landing>::default();
        flights.flights.insert(Rc::clone(key), Rc::clone(&landing));
        Ok(Flight {
            store: Rc::clone(store),
            key: Rc::clone(key),
            landing,
        })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.store.borrow_mut().flights.remove(&self.key);
        self.landing.notify.notify_waiters();
    }
}

//! One request on a route with `mcp`: what is known of it, and what is done as its answer passes.

use std::rc::Rc;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::prefix::Prefix;
use super::tables::now_s;
use crate::auth::Claims;
use crate::config::{Mcp, UpstreamId};
use crate::limit::Held;
use crate::mcp::{
    BodyScan, ChangeWatch, Class, Endpoint, EndpointWatch, Era, EventCount, Refusal, Scanned,
    ServerTag, SessionKey, Subject,
};
use crate::message::{Name, ResponseHead};
use crate::observe::McpFacts;
use crate::proxy::configured::Proxy;
use crate::proxy::exchange::ClientError;
use crate::upstream::Conn;

/// A retry hint of at least so many milliseconds, and up to as many again, so that clients that were
/// cut off together do not come back together.
const RETRY_MS: u64 = 1000;

/// How notices of changed lists are looked for in what passes.
enum Changes {
    Watched(ChangeWatch),
    /// The server compresses although it was asked not to: whatever passes may be one.
    Unread,
}

/// What is known of a request.
pub(in crate::proxy) struct Call {
    upstream: UpstreamId,
    pub(super) route: usize,
    pub(super) seals: bool,
    idle_s: u32,
    pub(super) strict: bool,
    pub(super) posts: bool,
    pub(super) era: Era,
    pub(super) class: Class,
    pub(super) subject: Box<Subject>,
    /// What the body says, where it is looked at: most modern ones are not.
    pub(super) scan: Option<Box<BodyScan>>,
    pub(super) prefix: Prefix,
    pub(super) session: Option<SessionKey>,
    /// The session was known when the request came.
    pub(super) is_known: bool,
    /// The server, by its name in the group, that the session belongs to.
    pub(super) pin: Option<Rc<str>>,
    pub(super) ends_session: bool,
    /// Whom a session that the answer issues is counted for.
    pub(super) owner: u64,
    pub(super) stream: Option<Held>,
    server: Option<Rc<str>>,
    watch: Option<EndpointWatch>,
    is_old_stream: bool,
    events: Option<EventCount>,
    keeps_lists: bool,
    changes: Option<Changes>,
    pub(super) refusal: Option<Refusal>,
    pub(super) claims: Option<Rc<Claims>>,
    /// `WWW-Authenticate` of a refusal.
    pub(super) challenge: Option<String>,
}

impl Call {
    pub(super) fn new(
        upstream: UpstreamId,
        route: usize,
        mcp: &Mcp,
        subject: Box<Subject>,
    ) -> Call {
        Call {
            upstream,
            route,
            seals: !mcp.session_secrets.0.is_empty(),
            idle_s: mcp.session_idle.as_secs() as u32,
            strict: mcp.is_strict(),
            posts: false,
            era: Era::Legacy,
            class: Class::Other,
            subject,
            scan: None,
            prefix: Prefix::default(),
            session: None,
            is_known: false,
            pin: None,
            ends_session: false,
            owner: 0,
            stream: None,
            server: None,
            watch: None,
            is_old_stream: false,
            events: None,
            keeps_lists: mcp.list_cache.is_some(),
            changes: None,
            refusal: None,
            claims: None,
            challenge: None,
        }
    }

    /// The id of the JSON-RPC request as it is written, where it is known.
    pub(super) fn id(&self) -> Option<&[u8]> {
        self.scan.as_ref()?.id()
    }

    /// How far the look at the body has come.
    pub(super) fn scanned(&self) -> Scanned {
        self.scan
            .as_ref()
            .map_or(Scanned::Partly, |scan| scan.scanned())
    }

    pub(super) fn upstream(&self) -> UpstreamId {
        self.upstream
    }

    /// Bytes of the body that were read to find out what it asks for.
    pub(in crate::proxy) fn read_ahead(&self) -> u64 {
        self.prefix.len() as u64
    }

    /// The server that must answer.
    pub(in crate::proxy) fn pin(&self) -> Option<Rc<str>> {
        self.pin.clone()
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.pin.is_some()
    }

    /// A connection was found: what was read of the body goes first. How many bytes, and whether
    /// that was all of it.
    pub(in crate::proxy) fn leased(&mut self, server: &Rc<str>, conn: &mut Conn) -> (u64, bool) {
        self.server = Some(Rc::clone(server));
        self.prefix.send(conn)
    }

    /// The request goes to another server than was thought.
    pub(in crate::proxy) fn moved(&mut self, server: &Rc<str>) {
        self.server = Some(Rc::clone(server));
    }

    /// More of the request body. Where there are rules, what they were applied to must be what the
    /// whole body says; else the body ends here, and the server never sees the end of it.
    pub(in crate::proxy) fn request_passed(&mut self, data: &Bytes) -> Result<(), ClientError> {
        if !(self.strict && self.posts) {
            self.prefix.pass(data, self.posts && self.scan.is_none());
            return Ok(());
        }
        let scan = self.scan.get_or_insert_default();
        scan.feed(data);
        match scan.is_ambiguous() || scan.scanned() == Scanned::Malformed {
            true => Err(ClientError::BadBody),
            false => Ok(()),
        }
    }

    /// The response head, before it goes to the client.
    pub(in crate::proxy) fn responds(
        &mut self,
        head: &mut ResponseHead,
        is_events: bool,
        proxy: &Proxy,
    ) {
        // There is nothing left to refuse, and a stream may be long.
        self.prefix.forget();
        if is_events {
            self.events = Some(EventCount::default());
        }
        let encoded = is_events && head.fields.value(Name::ContentEncoding).is_some();
        // Whichever era's client it goes to: the lists are the same.
        if is_events && self.keeps_lists {
            self.changes = Some(match encoded {
                true => Changes::Unread,
                false => Changes::Watched(ChangeWatch::default()),
            });
        }
        if self.era == Era::Modern {
            // Sessions are none of its concern: never minted, never echoed.
            return;
        }
        let ok = head.status.is_success();
        let id = head.fields.value(Name::McpSessionId);
        let has_id = id.is_some();
        match id {
            Some(id) if ok && !self.ends_session && self.seals => {
                let id = id.to_vec();
                self.seal(&id, head, proxy);
            }
            Some(id) if ok && !self.ends_session => self.remember(id, proxy),
            _ => {}
        }
        if self.ends_session && ok || head.status == StatusCode::NOT_FOUND {
            self.forget_session(proxy);
        }
        let has_session = has_id || self.session.is_some();
        if is_events && ok && self.class == Class::Stream && !has_session && !encoded {
            self.watch = Some(EndpointWatch::default());
        }
    }

    /// Content of the response, before it goes to the client.
    pub(in crate::proxy) fn response_passed(&mut self, data: &Bytes, proxy: &Proxy) {
        if let Some(events) = &mut self.events {
            events.feed(data);
        }
        let changed = match &mut self.changes {
            Some(Changes::Watched(watch)) => watch.feed(data),
            Some(Changes::Unread) => true,
            None => false,
        };
        if changed && let Some(tables) = &proxy.mcp {
            tables.changed(proxy.upstreams.group(self.upstream).name());
        }
        let Some(watch) = &mut self.watch else { return };
        match watch.feed(data) {
            Endpoint::Waiting => return,
            Endpoint::Session(id) => {
                self.remember(id.as_bytes(), proxy);
                self.is_old_stream = true;
            }
            Endpoint::None => {}
        }
        self.watch = None;
    }

    /// What a stream that the edge has to end is told, between two events: when to come back. Only
    /// legacy clients listen (SEP-1699).
    pub(in crate::proxy) fn farewell(&self) -> Option<Bytes> {
        let listens = self.era == Era::Legacy && self.events.is_some();
        listens.then(|| {
            let spread = crate::clock::monotonic_ns() % RETRY_MS;
            format!("retry: {}\n\n", RETRY_MS + spread).into()
        })
    }

    /// The exchange is over. A session of the old transport lives as long as its stream.
    pub(in crate::proxy) fn ended(&mut self, proxy: &Proxy) {
        if self.is_old_stream {
            self.forget_session(proxy);
        }
    }

    /// The client gets an id that names the server.
    fn seal(&mut self, id: &[u8], head: &mut ResponseHead, proxy: &Proxy) {
        let upstream = proxy.upstreams.group(self.upstream).name();
        let (Some(sealer), Some(server)) = (proxy.sealer(self.route), &self.server) else {
            return;
        };
        if let Some(sealed) = sealer.seal(upstream, ServerTag::of(server), id) {
            head.fields.set(Name::McpSessionId, sealed.as_bytes());
        }
        if let Some(tables) = &proxy.mcp {
            self.session = Some(tables.sessions.key(upstream, id));
        }
    }

    fn remember(&mut self, id: &[u8], proxy: &Proxy) {
        let (Some(tables), Some(server)) = (&proxy.mcp, &self.server) else {
            return;
        };
        let key = tables
            .sessions
            .key(proxy.upstreams.group(self.upstream).name(), id);
        // Servers repeat the id with every answer. It says nothing new, and it must not bring back a
        // session that was ended while the call was under way.
        if self.is_known && self.session == Some(key) {
            return;
        }
        self.session = Some(key);
        let tag = ServerTag::of(server);
        tables
            .sessions
            .insert(key, tag, self.owner, now_s(), self.idle_s);
    }

    pub(super) fn forget_session(&mut self, proxy: &Proxy) {
        if let (Some(key), Some(tables)) = (self.session, &proxy.mcp) {
            tables.sessions.remove(key);
        }
    }

    /// What log and metrics are told.
    pub(super) fn facts(self) -> McpFacts {
        McpFacts {
            era: self.era,
            class: self.class,
            subject: self.subject,
            session: self.session.map(SessionKey::hash),
            events: self.events.map_or(0, |events| events.events()),
            is_stream: self.events.is_some(),
            refusal: self.refusal,
        }
    }
}

/// Whether the method is the one that ends a session.
pub(super) fn ends_session(era: Era, method: &Method) -> bool {
    era == Era::Legacy && *method == Method::DELETE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every request has one, and it is moved about: what only some need is in boxes.
    #[test]
    fn a_call_is_small() {
        assert!(size_of::<Call>() <= 384, "{}", size_of::<Call>());
    }
}

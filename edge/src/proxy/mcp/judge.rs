//! From the head and the first bytes of the body to a decision, in a fixed order.

use http::Method;

use super::call::{self, Call};
use super::tables::now_s;
use super::{Stop, facts, mirrored};
use crate::config::Mcp;
use crate::mcp::{
    BodyScan, Class, Era, Refusal, Scanned, ServerTag, class_of, decode_into, is_plain_json,
    needs_name, origin_allowed, session_of,
};
use crate::message::{BodyLength, Name, RequestHead};
use crate::proxy::configured::Proxy;
use crate::proxy::exchange::{Downstream, Peer};

impl Proxy {
    /// Decides whether a request may go on, and gathers what is known of it in `call`.
    pub(super) async fn judge<D: Downstream>(
        &self,
        head: &mut RequestHead,
        client: &mut D,
        peer: &Peer,
        mcp: &Mcp,
        call: &mut Call,
    ) -> Result<(), Stop> {
        let facts = facts(head, mcp);
        call.era = facts.era;
        // Rules hold for every body, whatever the method; and nobody reads along in a WebSocket.
        let has_body = head.length != BodyLength::Empty;
        call.posts = head.method == Method::POST || (call.strict && has_body);
        if call.strict && head.upgrade.is_some() {
            return Err(Refusal::Method.into());
        }
        call.ends_session = call::ends_session(facts.era, &head.method);
        call.class = facts.class().unwrap_or(Class::Call);
        if !origin_allowed(head.fields.values(Name::Origin), mcp.origins.as_deref()) {
            return Err(Refusal::Origin.into());
        }
        // Tokens must not be in the query, where logs and histories keep them
        // (<https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization>).
        if head.target.query().is_some() && has_token(head.target.as_str()) {
            return Err(Refusal::QueryToken.into());
        }
        let route = self.router.route(call.route);
        mirrored::check(head, call.era, route, mcp)?;
        self.authorize(head, peer, mcp, call)?;
        if !matches!(call.class, Class::Discovery | Class::Health) {
            self.learn(head, client, peer, mcp, call).await?;
            match call.seals && call.era == Era::Legacy {
                true => self.open_session(head, call)?,
                false => self.find_session(head, call)?,
            }
        }
        self.limit_mcp(head, peer, mcp, call)
    }

    /// What a message asks for, and whether the route allows it.
    async fn learn<D: Downstream>(
        &self,
        head: &RequestHead,
        client: &mut D,
        peer: &Peer,
        mcp: &Mcp,
        call: &mut Call,
    ) -> Result<(), Stop> {
        let trusts_headers = call.era == Era::Modern;
        if trusts_headers {
            call.read_headers(head)?;
        }
        let keeps = call.asks_for_list(head, mcp);
        // A stream is not counted as calls are. Listening is rare, and its message short: that claim
        // alone is looked into on every route, for servers of old do not.
        let says_stream = trusts_headers && call.class == Class::Stream;
        if call.posts && (call.strict || !trusts_headers || keeps || says_stream) {
            let encoded = head.fields.value(Name::ContentEncoding).is_some();
            let is_plain = || is_plain_json(head.fields.values(Name::ContentType));
            if call.strict && (encoded || !is_plain()) || says_stream && encoded {
                return Err(Refusal::Encoding.into());
            }
            // A compressed one is the server's to judge.
            if !encoded {
                call.scan = Some(self.scans.take());
                let whole = call.strict || keeps || says_stream;
                let (most, rate) = (mcp.body_prefix, self.bounds.body_rate);
                call.read_prefix(client, whole, most, self.timeouts.body, rate)
                    .await
                    .map_err(Stop::Client)?;
            }
            // A list of calls would count as one.
            if call.scanned() == Scanned::Batch && mcp.limit.calls.is_some() {
                return Err(Refusal::Body.into());
            }
            match (trusts_headers, call.strict) {
                (true, true) => call.compare_headers()?,
                (true, false) if says_stream => self.check_stream(peer, mcp, call)?,
                (true, false) => {}
                (false, _) => call.read_body()?,
            }
        }
        // Whatever version it claims, a server that answers this gives out a session.
        if call.subject.method.get() == Some(b"initialize") {
            call.era = Era::Legacy;
        }
        call.apply_rules(mcp)?;
        self.authorize_names(mcp, call)
    }

    /// What says that it listens, and may ask for something else, is counted as a call, also by the limit
    /// per address, which streams with a limit of their own are not.
    fn check_stream(&self, peer: &Peer, mcp: &Mcp, call: &mut Call) -> Result<(), Stop> {
        let asks = |scan: &BodyScan| scan.method().map(class_of) == Some(Class::Stream);
        let clear = |scan: &BodyScan| scan.scanned() == Scanned::Whole && !scan.is_ambiguous();
        let scan = call.scan.as_deref().filter(|_| call.prefix.is_whole());
        if scan.is_some_and(|scan| asks(scan) && clear(scan)) {
            return Ok(());
        }
        call.class = Class::Call;
        if mcp.limit.opens.is_none() {
            return Ok(());
        }
        self.within_limit(peer)
            .map_err(|retry_after| Stop::Refused(Refusal::Limited, Some(retry_after)))
    }

    /// The same where the client holds the answer in its sealed id; the old transport's ids stand in
    /// the body of its stream, which is not rewritten, and so in the table.
    fn open_session(&self, head: &mut RequestHead, call: &mut Call) -> Result<(), Stop> {
        let Some(sealed) = head.fields.value(Name::McpSessionId) else {
            return self.find_session(head, call);
        };
        let group = self.upstreams.group(call.upstream());
        let opened = self
            .sealer(call.route)
            .and_then(|sealer| sealer.open(group.name(), sealed));
        let (tag, id) = opened.ok_or(Refusal::Session)?;
        let server = group.find(|address| ServerTag::of(address) == tag);
        call.pin = Some(server.ok_or(Refusal::Session)?);
        if let Some(tables) = &self.mcp {
            call.session = Some(tables.sessions.key(group.name(), &id[..]));
        }
        head.fields.set(Name::McpSessionId, &id);
        Ok(())
    }

    /// Which server knows the session of a legacy request.
    fn find_session(&self, head: &RequestHead, call: &mut Call) -> Result<(), Stop> {
        let (Era::Legacy, Some(tables)) = (call.era, &self.mcp) else {
            return Ok(());
        };
        let id = match head.fields.value(Name::McpSessionId) {
            Some(id) => id,
            None if call.posts && head.target.query().is_some() => {
                match session_of(head.target.as_str()) {
                    Some(id) => id.as_bytes(),
                    None => return Ok(()),
                }
            }
            None => return Ok(()),
        };
        let group = self.upstreams.group(call.upstream());
        let key = tables.sessions.key(group.name(), id);
        call.session = Some(key);
        let server = tables.sessions.find(key, now_s());
        call.is_known = server.is_some();
        call.pin = server.and_then(|tag| group.find(|address| ServerTag::of(address) == tag));
        // One server knows its sessions best; of several, none must guess.
        match call.pin {
            None if group.count() > 1 => {
                call.forget_session(self);
                Err(Refusal::Session.into())
            }
            Some(_) if group.count() == 1 => {
                call.pin = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Call {
    /// The mirrored headers of a modern request. What is wrong with them is the server's to say,
    /// unless rules are applied to them here.
    fn read_headers(&mut self, head: &RequestHead) -> Result<(), Stop> {
        let (mut methods, mut names, mut is_bad) = (0, 0, false);
        for (known, _, value) in head.fields.iter() {
            is_bad |= match known {
                Name::McpMethod => {
                    methods += 1;
                    decode_into(value, &mut self.subject.method).is_err()
                }
                Name::McpName => {
                    names += 1;
                    decode_into(value, &mut self.subject.name).is_err()
                }
                _ => continue,
            };
        }
        is_bad |= methods > 1 || names > 1;
        if is_bad {
            self.subject.method.clear();
            self.subject.name.clear();
        }
        let is_missing = self.posts && methods == 0;
        match self.strict && (is_bad || is_missing) {
            true => Err(Refusal::Header.into()),
            false => Ok(()),
        }
    }

    /// What a legacy body says.
    fn read_body(&mut self) -> Result<(), Stop> {
        self.check_body()?;
        let Some(scan) = &self.scan else {
            return Ok(());
        };
        if let Some(method) = scan.method() {
            self.class = class_of(method);
            self.subject.method.set(method);
            if needs_name(method) {
                self.subject.name.set(scan.name().unwrap_or_default());
            }
        } else if scan.is_answer() {
            self.class = Class::Notification;
        }
        Ok(())
    }

    /// What a modern body says must be what the headers say.
    fn compare_headers(&self) -> Result<(), Stop> {
        self.check_body()?;
        let scan = self.scan.as_ref();
        let method = scan.and_then(|scan| scan.method()).unwrap_or_default();
        let name = &self.subject.name;
        let same_name = match scan {
            Some(scan) if needs_name(method) => {
                // URIs alone may be longer than what is kept, of both: nothing is ruled by them.
                let same_length = name.get().is_some() == scan.name().is_some();
                same_length && name.start() == scan.name_start()
            }
            _ => name.get().is_some(),
        };
        match self.subject.method.get() == Some(method) && same_name {
            true => Ok(()),
            false => Err(Refusal::Header.into()),
        }
    }

    /// Rules can be applied only to a body that says one thing.
    fn check_body(&self) -> Result<(), Stop> {
        if !self.strict {
            return Ok(());
        }
        let scan = self.scan.as_ref().ok_or(Refusal::Body)?;
        let speaks = match scan.method() {
            Some(method) => !needs_name(method) || scan.has_name(),
            None => scan.is_answer(),
        };
        let whole = match self.prefix.is_whole() {
            true => scan.scanned() == Scanned::Whole,
            false => matches!(scan.scanned(), Scanned::Partly | Scanned::Whole),
        };
        match speaks && whole && !scan.is_ambiguous() {
            true => Ok(()),
            false => Err(Refusal::Body.into()),
        }
    }

    fn apply_rules(&self, mcp: &Mcp) -> Result<(), Stop> {
        let method = self.subject.method.start();
        if method.is_empty() {
            return Ok(());
        }
        let denied = mcp.methods.denies(method);
        if denied || !(mcp.methods.allows(method) || is_handshake(method)) {
            return Err(Refusal::Method.into());
        }
        if method == b"tools/call" && !mcp.tools.allows(self.subject.name.start()) {
            return Err(Refusal::Tool.into());
        }
        Ok(())
    }
}

/// What every client says before and beside what it came for: no list of allowed methods names it.
fn is_handshake(method: &[u8]) -> bool {
    matches!(method, b"initialize" | b"ping" | b"server/discover")
        || method.starts_with(b"notifications/")
}

/// RFC 6750 §2.3.
fn has_token(target: &str) -> bool {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        is_written(name, "access_token")
    })
}

/// Whether a part of a query is this word, however much of it is percent-encoded.
fn is_written(part: &str, word: &str) -> bool {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let mut bytes = part.bytes();
    let decoded = std::iter::from_fn(|| {
        let byte = bytes.next()?;
        let mut ahead = bytes.clone();
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes = ahead;
                Some((high << 4 | low) as u8)
            }
            _ => Some(byte),
        }
    });
    decoded.eq(word.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_the_query_is_seen_however_it_is_written() {
        for yes in [
            "/?access_token=a",
            "/?a=b&access_token",
            "/?%61ccess%5Ftoken=a",
            "/?%61%63cess%5ftoken",
        ] {
            assert!(has_token(yes), "{yes}");
        }
        for no in [
            "/access_token",
            "/?a=access_token",
            "/?access%5token=a",
            "/?access%255Ftoken=a",
            "/?access_token%",
        ] {
            assert!(!has_token(no), "{no}");
        }
    }
}

//! Lists of MCP servers, kept for as long as the servers let others keep them.
//!
//! A question is everything that the server is sent, but for what is known to make no difference to
//! it: the id, the trace. An answer that is for everybody is also given to those who differ in where
//! they come from and, where the edge has checked it, in the token.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::capture::Capture;
use super::policy::{Freshness, is_streamed};
use super::store::{Key, Store};
use super::stored::{State, Stored};
use crate::clock::monotonic_ns;
use crate::content::CacheControl;
use crate::mcp::{ListAnswer, ListQuestion, Scope};
use crate::message::{BodyLength, Fields, Name, RequestHead, ResponseHead};
use crate::observe::CacheResult;
use crate::proxy::account::Record;
use crate::proxy::configured::Proxy;
use crate::proxy::deliver::Content;
use crate::proxy::exchange::Downstream;

/// Clients take no longer ones either (they are held in memory whole).
const LIST_BYTES_MAX: usize = 1024 * 1024;
const MILLI_NS: u64 = 1_000_000;

/// Fields that are about one request and that no answer depends on.
const OF_THE_REQUEST: &[&str] = &[
    "content-length",
    "transfer-encoding",
    "x-request-id",
    "traceparent",
    "tracestate",
    "baggage",
];
/// Fields that an answer for everybody does not depend on either.
const OF_THE_CLIENT: &[&str] = &[
    "x-forwarded-for",
    "x-real-ip",
    "forwarded",
    "via",
    "user-agent",
];

/// An answer that is kept, beside its bytes.
#[derive(Debug)]
pub(super) struct KeptList {
    answer: ListAnswer,
    /// How many changes the server had told of when it was asked.
    changes: u64,
}

/// A question for a list.
pub(in crate::proxy) struct ListAsked {
    /// Of everybody who asks the same.
    shared: Key,
    /// Of those whom the server cannot tell apart.
    own: Key,
    id: Bytes,
    changes: u64,
    most: Duration,
}

/// What a route says about lists, and what is known of the request.
pub(in crate::proxy) struct ListTerms {
    /// The longest time an answer is kept.
    pub(in crate::proxy) most: Duration,
    /// The edge itself has made sure that the token is good.
    pub(in crate::proxy) token_checked: bool,
    /// How many changes the server has told of.
    pub(in crate::proxy) changes: u64,
}

impl ListAsked {
    /// The question of a request as the upstream would get it. `None` for what always goes there.
    pub(in crate::proxy) fn of(
        head: &RequestHead,
        body: &Bytes,
        route: u64,
        terms: &ListTerms,
    ) -> Option<ListAsked> {
        let control = CacheControl::of(&head.fields);
        if control.no_store
            || control.no_cache
            || head.fields.value(Name::ContentEncoding).is_some()
        {
            return None;
        }
        let mut shared = Parts::new();
        shared.add(&route.to_le_bytes());
        let question = ListQuestion::read(body, |part| shared.add(part))?;
        let named = head.fields.value(Name::McpMethod)?;
        if body[question.method] != *named {
            return None;
        }
        shared.add(head.sent_host().as_str().as_bytes());
        let sent = head.sent.as_deref().and_then(|sent| sent.target.as_ref());
        shared.add(sent.unwrap_or(&head.target).as_str().as_bytes());
        let mut own = Parts(shared.0.clone());
        for (known, name, value) in head.fields.iter() {
            if is_one_of(name, OF_THE_REQUEST) {
                continue;
            }
            own.add(&name.to_ascii_lowercase());
            own.add(value);
            let checked = known == Name::Authorization && terms.token_checked;
            if !checked && !is_one_of(name, OF_THE_CLIENT) {
                shared.add(&name.to_ascii_lowercase());
                shared.add(value);
            }
        }
        Some(ListAsked {
            shared: shared.key(b"shared"),
            own: own.key(b"own"),
            id: body.slice(question.id),
            changes: terms.changes,
            most: terms.most,
        })
    }
}

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Parts of a question, each with its length before it.
struct Parts(Context);

impl Parts {
    fn new() -> Parts {
        Parts(Context::new(&SHA256))
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    fn key(mut self, kind: &[u8]) -> Key {
        self.add(kind);
        Rc::from(self.0.finish().as_ref())
    }
}

impl Proxy {
    /// Answers from what is kept; else hands out who watches for the answer. `None` is a question that
    /// always goes to the upstream.
    pub(in crate::proxy) async fn kept_list<D: Downstream>(
        &self,
        asked: Option<ListAsked>,
        client: &mut D,
        record: &mut Record<'_>,
    ) -> Option<Box<Capture>> {
        let Some(asked) = asked else {
            record.cache = Some(CacheResult::Bypass);
            return Some(Box::new(Capture::bypass()));
        };
        let now_ns = monotonic_ns();
        let kept = [&asked.shared, &asked.own].into_iter().find_map(|key| {
            let known = self
                .cache
                .borrow_mut()
                .find(key, &Fields::default(), now_ns);
            known.stored.filter(|stored| {
                let list = stored.list.as_ref();
                stored.state(now_ns) == State::Fresh
                    && list.is_some_and(|list| list.changes == asked.changes)
            })
        });
        let Some((stored, list)) = kept
            .as_deref()
            .and_then(|kept| Some((kept, kept.list.as_ref()?)))
        else {
            record.cache = Some(CacheResult::Miss);
            return Some(Box::new(Capture::of_list(ListCapture {
                store: Rc::clone(&self.cache),
                asked,
                storing: None,
            })));
        };
        record.cache = Some(CacheResult::Hit);
        let mut fields = stored.fields.clone();
        let age_ms = now_ns.saturating_sub(stored.at_ns) / MILLI_NS;
        fields.push(b"age", itoa::Buffer::new().format(age_ms / 1000).as_bytes());
        fields.push(b"x-cache", CacheResult::Hit.name().as_bytes());
        // Or a client would keep it as long again from now.
        let left_ms = list.answer.ttl_ms.saturating_sub(age_ms);
        let pieces = list.answer.pieces(&stored.body, asked.id, left_ms);
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        let response = ResponseHead {
            status: stored.status,
            fields,
            length: BodyLength::Exact(length),
        };
        let content = Content::of_pieces(pieces);
        self.deliver(response, content, client, false, record).await;
        None
    }
}

/// Watches the answer to a question for a list on its way from the upstream.
pub(super) struct ListCapture {
    store: Rc<RefCell<Store>>,
    asked: ListAsked,
    storing: Option<Storing>,
}

struct Storing {
    fields: Fields,
    at_ns: u64,
    /// Nobody but who asked may get it, whatever it says.
    own: bool,
    body: BytesMut,
}

impl ListCapture {
    /// The head comes, before any rule of the route has changed it.
    pub(super) fn responds(&mut self, head: &ResponseHead) {
        self.storing = Storing::of(head);
    }

    /// Content comes.
    pub(super) fn passed(&mut self, data: &Bytes) {
        match &mut self.storing {
            Some(storing) if storing.body.len() + data.len() > LIST_BYTES_MAX => {
                self.storing = None
            }
            Some(storing) => storing.body.extend_from_slice(data),
            None => {}
        }
    }

    /// It has come to its end.
    pub(super) fn ended(&mut self, whole: bool) {
        let Some(storing) = self.storing.take().filter(|_| whole) else {
            return;
        };
        let Some(answer) = ListAnswer::read(&storing.body, &self.asked.id) else {
            return;
        };
        let lifetime = self.asked.most.min(Duration::from_millis(answer.ttl_ms));
        let key = match answer.scope == Scope::Private || storing.own {
            true => &self.asked.own,
            false => &self.asked.shared,
        };
        let stored = Stored {
            status: StatusCode::OK,
            fields: storing.fields,
            body: Bytes::copy_from_slice(&storing.body),
            vary: Vec::new(),
            freshness: Freshness {
                lifetime_ns: u64::try_from(lifetime.as_nanos()).unwrap_or(u64::MAX),
                ..Freshness::default()
            },
            at_ns: storing.at_ns,
            list: Some(Box::new(KeptList {
                answer,
                changes: self.asked.changes,
            })),
        };
        self.store.borrow_mut().put(key, stored);
    }
}

impl Storing {
    /// Only one whole message in JSON: never an event stream, nothing that sets something.
    fn of(head: &ResponseHead) -> Option<Storing> {
        let fields = &head.fields;
        let has = |name: &str| fields.values_of(name).next().is_some();
        let is_json = fields.value(Name::ContentType).is_some_and(|value| {
            let essence = value.split(|&byte| byte == b';').next().unwrap_or_default();
            essence
                .trim_ascii()
                .eq_ignore_ascii_case(b"application/json")
        });
        let refused = head.status != StatusCode::OK
            || !is_json
            || is_streamed(head)
            || fields.value(Name::ContentEncoding).is_some()
            || fields.value(Name::McpSessionId).is_some()
            || has("set-cookie");
        // RFC 9111 §5.2.2: HTTP's own word comes first where it is the stricter one.
        let control = CacheControl::of(fields);
        if refused || control.no_store || control.no_cache {
            return None;
        }
        let mut own = control.private;
        for name in fields
            .values_of("vary")
            .flat_map(|value| value.split(|&b| b == b','))
        {
            let name = name.trim_ascii();
            if name == b"*" {
                return None;
            }
            // What is not left out of the shared question is part of it already.
            own |= is_one_of(name, OF_THE_CLIENT) || name.eq_ignore_ascii_case(b"authorization");
        }
        let mut fields = fields.clone();
        fields.remove_all("age");
        Some(Storing {
            fields,
            at_ns: monotonic_ns(),
            own,
            body: BytesMut::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::h1::parse_request;

    const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;

    fn asked(fields: &str, body: &str, token_checked: bool) -> Option<ListAsked> {
        let text = format!(
            "POST /mcp HTTP/1.1\r\nHost: h\r\nMcp-Method: tools/list\r\nContent-Length: {}\r\n{fields}\r\n",
            body.len()
        );
        let (head, _) = parse_request(text.as_bytes(), 100).expect("valid");
        let terms = ListTerms {
            most: Duration::from_secs(60),
            token_checked,
            changes: 0,
        };
        ListAsked::of(&head, &Bytes::copy_from_slice(body.as_bytes()), 7, &terms)
    }

    /// Whether two requests get one answer: if it is for everybody, and if it is not.
    fn same(one: &str, other: &str, token_checked: bool) -> (bool, bool) {
        let of = |fields| asked(fields, BODY, token_checked).expect("it is a question");
        let (one, other) = (of(one), of(other));
        (one.shared == other.shared, one.own == other.own)
    }

    #[test]
    fn who_gets_the_same_answer() {
        let (a, b) = ("Authorization: Bearer a\r\n", "Authorization: Bearer b\r\n");
        assert_eq!(same(a, a, false), (true, true));
        assert_eq!(same(a, b, false), (false, false));
        assert_eq!(same(a, "", false), (false, false));
        // Checked here: what is for everybody is for whoever has a good one.
        assert_eq!(same(a, b, true), (true, false));
        assert_eq!(
            same("User-Agent: a\r\n", "X-Forwarded-For: 1.2.3.4\r\n", true),
            (true, false)
        );
        assert_eq!(
            same("X-Request-Id: a\r\n", "Traceparent: b\r\n", false),
            (true, true)
        );
        for other in [
            "Cookie: a\r\n",
            "X-Tenant: a\r\n",
            "Mcp-Param-A: b\r\n",
            "Accept: a\r\n",
        ] {
            assert_eq!(same("", other, true), (false, false), "{other}");
        }
        // Where one field ends and the next begins is part of it.
        assert_eq!(same("A: b\r\nC: d\r\n", "A: bcd\r\n", true), (false, false));
        let one = asked("", BODY, true).expect("it is a question");
        assert_ne!(one.shared, one.own);
    }

    #[test]
    fn what_always_goes_to_the_server() {
        for fields in [
            "Cache-Control: no-store\r\n",
            "Cache-Control: no-cache\r\n",
            "Content-Encoding: br\r\n",
        ] {
            assert!(asked(fields, BODY, true).is_none(), "{fields}");
        }
        let other = BODY.replace("tools/list", "prompts/list");
        assert!(
            asked("", &other, true).is_none(),
            "not what the header says"
        );
        assert!(asked("", "", true).is_none());
        assert!(asked("", BODY, true).is_some());
    }
}

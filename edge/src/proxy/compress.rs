//! Compression of answers on their way to the client (RFC 9110 §8.4).
//!
//! It lies between everything that answers and the front, and sees the head after the rules of the
//! route. What has come is compressed and sent in the same turn: nothing waits to be more.

mod encoder;

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, StatusCode};

use self::encoder::Encoder;
use super::exchange::{ClientError, Downstream};
use crate::config::CompressRules;
use crate::content::{Accepted, CacheControl, Coding, is_compressible};
use crate::message::{BodyLength, Fields, Frame, Name, RequestHead, ResponseHead, Version};
use crate::net::Timer;

/// An encoder takes up to 1.7 MiB (docs/content.md); with this many under way on a worker, more answers go as they
/// are.
const ENCODERS_MAX: usize = 128;
/// Fields about the very bytes that are sent (RFC 9110 §14.4, RFC 9530, RFC 1864).
const OF_CONTENT: &[&str] = &[
    "content-range",
    "content-digest",
    "repr-digest",
    "digest",
    "content-md5",
];
/// Compressed at once; then others have their turn.
const TURN_BYTES: usize = 64 * 1024;

/// The client's side of an exchange, with compression where the route wants it.
pub(super) struct Outlet<'a, D> {
    client: &'a mut D,
    state: Option<Box<State>>,
}

struct State {
    /// What the client wants, the most wanted first, of what the route has.
    wanted: Vec<Coding>,
    least_bytes: u64,
    /// There is no content: only what is said of it is as if there were.
    is_head: bool,
    busy: Rc<Cell<usize>>,
    encoder: Option<Encoder>,
    _place: Option<Place>,
    /// Taken by the encoder since the last turn, and whether any of it may still be in there.
    taken: usize,
    dirty: bool,
    failed: bool,
}

/// One of the encoders that may be at work.
struct Place(Rc<Cell<usize>>);

impl Place {
    fn take(busy: &Rc<Cell<usize>>) -> Option<Place> {
        if busy.get() >= ENCODERS_MAX {
            return None;
        }
        busy.set(busy.get() + 1);
        Some(Place(Rc::clone(busy)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl<'a, D: Downstream> Outlet<'a, D> {
    /// `busy` counts the encoders of the worker.
    pub(super) fn new(
        client: &'a mut D,
        rules: Option<&CompressRules>,
        head: &RequestHead,
        busy: &Rc<Cell<usize>>,
    ) -> Outlet<'a, D> {
        // HTTP/1.0 has no way to say where content of unknown length ends. A client may want it as it is
        // (RFC 9111 §5.2.1.6).
        let rules = rules.filter(|_| {
            head.version != Version::Http10
                && head.upgrade.is_none()
                && !CacheControl::of(&head.fields).no_transform
        });
        let state = rules.map(|rules| {
            let accepted = Accepted::of(&head.fields).in_order();
            Box::new(State {
                wanted: accepted
                    .filter(|coding| rules.codings.contains(coding))
                    .collect(),
                least_bytes: rules.least_bytes,
                is_head: head.method == Method::HEAD,
                busy: Rc::clone(busy),
                encoder: None,
                _place: None,
                taken: 0,
                dirty: false,
                failed: false,
            })
        });
        Outlet { client, state }
    }

    /// What an encoder has made; its failure ends the answer as one that is not complete.
    fn send_made(&mut self, made: std::io::Result<Bytes>) {
        match made {
            Ok(data) if data.is_empty() => {}
            Ok(data) => self.client.send_data(data),
            Err(error) => {
                tracing::error!(%error, "compression failed");
                if let Some(state) = &mut self.state {
                    state.failed = true;
                    state.encoder = None;
                }
                self.client.abort();
            }
        }
    }
}

impl State {
    /// Starts to compress where that is of use; changes the fields accordingly.
    fn begin(&mut self, head: &mut ResponseHead) {
        let fields = &mut head.fields;
        if head.status == StatusCode::NOT_MODIFIED {
            // It stands for the answer that would be compressed (RFC 9110 §15.4.5).
            if !self.wanted.is_empty() && fields.value(Name::ContentEncoding).is_none() {
                weaken(fields);
                vary(fields);
            }
            return;
        }
        let has = |name: &str| fields.values_of(name).next().is_some();
        let is_bare = matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
        );
        let told = || {
            str::from_utf8(fields.value(Name::ContentLength)?)
                .ok()?
                .parse()
                .ok()
        };
        let is_short = match head.length {
            _ if self.is_head => told().is_some_and(|length: u64| length < self.least_bytes),
            BodyLength::Empty => true,
            BodyLength::Exact(length) => length < self.least_bytes,
            BodyLength::Framed | BodyLength::UntilClose => false,
        };
        let is_fixed = fields.value(Name::ContentEncoding).is_some()
            || OF_CONTENT.iter().copied().any(has)
            || CacheControl::of(fields).no_transform;
        let is_text = fields.value(Name::ContentType).is_some_and(is_compressible);
        if head.status.is_informational() || is_bare || is_short || is_fixed || !is_text {
            return;
        }
        // Also for who gets it as it is: the next may not (RFC 9110 §12.5.5).
        vary(fields);
        let Some(&coding) = self.wanted.first() else {
            return;
        };
        if self.is_head {
            // The length of what GET would get is not known (RFC 9110 §8.6).
            head.length = BodyLength::Empty;
            changed(fields);
            return;
        }
        let (Some(place), Ok(encoder)) = (Place::take(&self.busy), Encoder::new(coding)) else {
            return;
        };
        fields.push_known(Name::ContentEncoding, coding.name().as_bytes());
        changed(fields);
        head.length = BodyLength::Framed;
        self._place = Some(place);
        self.encoder = Some(encoder);
    }
}

/// What was said of the bytes is not true of others; parts would be parts of something else.
fn changed(fields: &mut Fields) {
    fields.remove(Name::ContentLength);
    fields.remove_all("accept-ranges");
    weaken(fields);
}

fn vary(fields: &mut Fields) {
    let known = fields.values_of("vary").any(|value| {
        let mut names = value.split(|&b| b == b',').map(<[u8]>::trim_ascii);
        names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"))
    });
    if !known {
        fields.push(b"vary", b"accept-encoding");
    }
}

/// The same content in another form is the same by a weak tag only (RFC 9110 §8.8.1).
fn weaken(fields: &mut Fields) {
    let tag = fields
        .values_of("etag")
        .next()
        .filter(|tag| tag.starts_with(b"\""));
    if let Some(weak) = tag.map(|tag| [b"W/", tag].concat()) {
        fields.remove_all("etag");
        fields.push(b"etag", &weak);
    }
}

impl<D: Downstream> Downstream for Outlet<'_, D> {
    const AHEAD_BYTES: usize = D::AHEAD_BYTES;

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, ClientError>> {
        self.client.poll_body(cx)
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.client.poll_gone(cx)
    }

    fn drop_body(&mut self) {
        self.client.drop_body();
    }

    fn send_interim(&mut self, head: &ResponseHead) {
        self.client.send_interim(head);
    }

    fn send_head(&mut self, head: &ResponseHead) {
        let Some(state) = &mut self.state else {
            return self.client.send_head(head);
        };
        let mut head = head.clone();
        state.begin(&mut head);
        if state.encoder.is_none() {
            self.state = None;
        }
        self.client.send_head(&head);
    }

    fn send_switch(&mut self, head: &ResponseHead) {
        self.state = None;
        self.client.send_switch(head);
    }

    fn send_data(&mut self, data: Bytes) {
        let Some(state) = &mut self.state else {
            return self.client.send_data(data);
        };
        // Without an encoder it has failed, and what would follow is of no use.
        if let Some(encoder) = &mut state.encoder {
            let made = encoder.write(&data);
            state.taken += data.len();
            state.dirty = true;
            self.send_made(made);
        }
    }

    fn send_end(&mut self, trailers: Option<&Fields>) {
        let state = self.state.as_mut().filter(|state| !state.failed);
        let encoder = state.and_then(|state| {
            state.dirty = false;
            state.encoder.take()
        });
        if let Some(encoder) = encoder {
            self.send_made(encoder.finish());
        }
        if self.state.as_ref().is_none_or(|state| !state.failed) {
            self.client.send_end(trailers);
        }
    }

    fn abort(&mut self) {
        self.state = None;
        self.client.abort();
    }

    /// What was taken in this turn counts as well, or a body that compresses to nearly nothing
    /// would never stop being read.
    fn queued(&self) -> usize {
        let taken = self.state.as_ref().map_or(0, |state| state.taken);
        self.client.queued() + taken
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        let Some(state) = &mut self.state else {
            return self.client.poll_flush(cx);
        };
        let taken = std::mem::take(&mut state.taken);
        if std::mem::take(&mut state.dirty)
            && let Some(encoder) = &mut state.encoder
        {
            let made = encoder.flush();
            self.send_made(made);
        }
        let flushed = self.client.poll_flush(cx);
        if taken >= TURN_BYTES {
            ready!(flushed)?;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        flushed
    }

    fn timer(&mut self) -> &mut Timer {
        self.client.timer()
    }
}

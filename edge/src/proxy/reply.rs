//! Replies the edge makes itself: short, plain, and telling what to do.

use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, StatusCode};

use super::configured::Proxy;
use super::exchange::{ClientError, Downstream};
use super::rules::ResponseRules;
use crate::clock::monotonic_ns;
use crate::config::{ErrorPage, RespondAction};
use crate::mcp::error_body;
use crate::message::{BodyLength, Fields, Name, ResponseHead};

/// A web page that asks.
pub(super) enum Page {
    /// Any that may.
    Any,
    /// One whose origin the file names.
    Named(Box<[u8]>),
}

/// A reply of the edge's own.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    fields: Fields,
    /// Content and its media type; `None` for a line that names the status.
    content: Option<Box<(Bytes, Cow<'static, str>)>>,
}

impl Reply {
    pub(super) fn new(status: StatusCode) -> Reply {
        Reply {
            status,
            fields: Fields::default(),
            content: None,
        }
    }

    /// What the file says.
    pub(super) fn configured(action: &RespondAction) -> Reply {
        let content = action.body.as_ref().map(|body| {
            let body = Bytes::copy_from_slice(body.as_bytes());
            Box::new((body, Cow::Owned(action.content_type.clone())))
        });
        Reply {
            content,
            ..Reply::new(action.status)
        }
    }

    /// Content of a type, instead of the status in words.
    pub(super) fn content(mut self, content_type: &'static str, content: String) -> Reply {
        self.content = Some(Box::new((content.into(), Cow::Borrowed(content_type))));
        self.with("cache-control", "no-store")
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Reply {
        self.fields.push(name.as_bytes(), value.as_bytes());
        self
    }

    /// Adds fields as they are.
    pub(super) fn with_all(mut self, fields: &Fields) -> Reply {
        for (_, name, value) in fields.iter() {
            self.fields.push(name, value);
        }
        self
    }

    /// 429 that says when to come back (RFC 6585 §4, RFC 9110 §10.2.3).
    pub(super) fn limited(retry_after_secs: u64) -> Reply {
        let secs = retry_after_secs.max(1).to_string();
        Reply::new(StatusCode::TOO_MANY_REQUESTS).with("retry-after", &secs)
    }

    /// Takes the page of the host for its status, unless it says more than that already.
    pub(super) fn paged(mut self, pages: &[ErrorPage]) -> Reply {
        let page = pages.iter().find(|page| page.is_for(self.status));
        if let (None, Some(page)) = (&self.content, page) {
            let content = Bytes::from_owner(Arc::clone(&page.content));
            self.content = Some(Box::new((content, Cow::Borrowed(page.content_type))));
            return self.with("cache-control", "no-store");
        }
        self
    }

    /// An error becomes one of JSON-RPC, unless it says more than its status already; with the id of the
    /// request where that is known.
    pub(super) fn in_json_rpc(self, id: Option<&[u8]>) -> Reply {
        let is_error = self.status.is_client_error() || self.status.is_server_error();
        if self.content.is_some() || !is_error {
            return self;
        }
        let retry_after = self.fields.values_of("retry-after").next();
        let seconds = retry_after.and_then(|value| str::from_utf8(value).ok()?.parse().ok());
        let body = error_body(self.status, id, seconds);
        self.content("application/json", body)
    }

    /// Lets the page that asks read why it gets nothing, and where to get a token
    /// (<https://fetch.spec.whatwg.org/#http-access-control-expose-headers>). It holds nothing that is
    /// for one client alone.
    pub(super) fn for_page(mut self, page: &Page) -> Reply {
        let expose = "WWW-Authenticate, Retry-After";
        match page {
            Page::Any => {
                return self
                    .with("access-control-allow-origin", "*")
                    .with("access-control-expose-headers", expose);
            }
            Page::Named(origin) => self.fields.push(b"access-control-allow-origin", origin),
        }
        // To a page that sends cookies `*` opens nothing
        // (<https://fetch.spec.whatwg.org/#cors-protocol-and-credentials>).
        self.with("access-control-allow-credentials", "true")
            .with("access-control-expose-headers", expose)
            .with("vary", "Origin")
    }

    /// Changes its fields as the host or the route wants it.
    pub(super) fn ruled_by(mut self, rules: &ResponseRules<'_>) -> Reply {
        rules.apply(&mut self.fields);
        self
    }

    /// Sends the reply; gives up when the client takes nothing for `send_timeout`. Returns the bytes
    /// of content. With a proxy that tells of HTTP/3 the reply does so too.
    pub(super) async fn send<D: Downstream>(
        self,
        client: &mut D,
        method: &Method,
        send_timeout: Duration,
        advertised_by: Option<&Proxy>,
    ) -> Result<u64, ClientError> {
        let Reply {
            status,
            mut fields,
            content,
        } = self;
        let (body, content_type) = content.map(|content| *content).unwrap_or_else(|| {
            // What a rule has set stays.
            if fields.values_of("cache-control").next().is_none() {
                fields.push(b"cache-control", b"no-store");
            }
            let plain = Cow::Borrowed("text/plain; charset=utf-8");
            (line(status).into(), plain)
        });
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = if bodiless { Bytes::new() } else { body };
        if !body.is_empty() && fields.value(Name::ContentType).is_none() {
            fields.push_known(Name::ContentType, content_type.as_bytes());
        }
        push_date(&mut fields);
        if let Some(proxy) = advertised_by {
            proxy.advertise(&mut fields);
        }
        let length = BodyLength::Exact(body.len() as u64);
        client.drop_body();
        client.send_head(&ResponseHead {
            status,
            fields,
            length,
        });
        let sent = match *method == Method::HEAD {
            true => 0,
            false => body.len() as u64,
        };
        if sent > 0 {
            client.send_data(body);
        }
        client.send_end(None);
        let deadline_ns = monotonic_ns() + send_timeout.as_nanos() as u64;
        poll_fn(|cx| {
            let flushed = client.poll_flush(cx);
            if flushed.is_pending() && client.timer().poll(cx, deadline_ns).is_ready() {
                return std::task::Poll::Ready(Err(ClientError::Gone));
            }
            flushed
        })
        .await?;
        Ok(sent)
    }
}

impl Proxy {
    /// What a client is told whose request could not be read, so that nobody knows its route: where every
    /// route has `mcp` an error of JSON-RPC, else nothing beyond the status.
    pub(crate) fn unreadable(&self, status: StatusCode) -> Option<String> {
        let speaks_rpc = self.router.speaks_rpc();
        speaks_rpc.then(|| error_body(status, None, None))
    }
}

/// The status in words.
pub(crate) fn line(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or("Error");
    format!("{} {reason}\n", status.as_str())
}

/// RFC 9110 §6.6.1: an origin server with a clock sends `Date`.
pub(crate) fn push_date(fields: &mut Fields) {
    thread_local! {
        static LAST: std::cell::RefCell<(u64, String)> = const { std::cell::RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let secs = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    LAST.with_borrow_mut(|(at, text)| {
        if *at != secs || text.is_empty() {
            *at = secs;
            *text = httpdate::fmt_http_date(now);
        }
        fields.push_known(Name::Date, text.as_bytes());
    });
}

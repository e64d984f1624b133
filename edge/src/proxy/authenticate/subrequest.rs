//! A service that is asked about a request: 2xx lets it on; 401, 403 and where to log in are for the
//! client; anything else is a fault of the service.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::StatusCode;

use super::question::{identity, question};
use super::verdicts::Known;
use crate::clock::{monotonic_ns, unix_ns};
use crate::config::AuthRequest;
use crate::limit::Offence;
use crate::message::{Fields, Frame, Name, RequestHead, ResponseHead, is_alike};
use crate::net;
use crate::observe::trace::{Asked, Span};
use crate::proxy::answer::elapsed_us;
use crate::proxy::caller::Caller;
use crate::proxy::configured::Proxy;
use crate::proxy::guard::Refusal;
use crate::proxy::reply::Reply;
use crate::proxy::trace::Trace;
use crate::upstream::{self, Conn, Lease, UpstreamError};

/// Content of an answer that is read to keep the connection; it is not looked at.
const CONTENT_BYTES_MAX: usize = 64 * 1024;
/// For it to come.
const CONTENT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longer names of users come from no sane service.
const USER_BYTES_MAX: usize = 256;

/// What a service says of a request.
#[derive(Clone)]
pub(super) enum Verdict {
    Consent(Rc<Consent>),
    Denial(Rc<Denial>),
}

/// The request may go on.
#[derive(Default)]
pub(in crate::proxy) struct Consent {
    /// What the upstream is told.
    fields: Fields,
    /// Who asks.
    pub(super) user: Option<Box<str>>,
}

/// It may not.
pub(super) struct Denial {
    status: StatusCode,
    /// What the client is told.
    fields: Fields,
}

impl Verdict {
    #[cfg(test)]
    pub(super) fn consent() -> Verdict {
        Verdict::Consent(Rc::default())
    }
}

impl Consent {
    /// Tells the upstream what the service has said. What the client says under these names is
    /// removed, however it is spelt, and also where the service said nothing.
    pub(in crate::proxy) fn tell(&self, wanted: &AuthRequest, fields: &mut Fields) {
        let names = &wanted.upstream_fields;
        // CGI-like upstreams read `_` as `-`.
        fields.retain(|_, name, _| !names.iter().any(|wanted| is_alike(name, wanted)));
        for (_, name, value) in self.fields.iter() {
            fields.push(name, value);
        }
    }
}

/// What a question is about.
#[derive(Clone, Copy)]
struct About<'a> {
    head: &'a RequestHead,
    caller: &'a Caller,
    trace: Option<&'a Trace>,
}

impl Proxy {
    /// Asks the service about a request, unless the answer is known.
    pub(super) async fn subrequest(
        &self,
        route: usize,
        wanted: &AuthRequest,
        head: &RequestHead,
        caller: &Caller,
        trace: Option<&Trace>,
    ) -> Result<Rc<Consent>, Refusal> {
        let about = About {
            head,
            caller,
            trace,
        };
        let verdict = match wanted.cache {
            Some(keep) => self.remembered(route, wanted, keep, about).await?,
            None => self.verdict(wanted, about).await?.0,
        };
        match verdict {
            Verdict::Consent(consent) => Ok(consent),
            Verdict::Denial(denial) => {
                let tried = head.fields.value(Name::Authorization).is_some();
                if tried && denial.status == StatusCode::UNAUTHORIZED {
                    self.offence_of(&caller.peer, Offence::Auth);
                }
                Err(Refusal {
                    reply: Some(Reply::new(denial.status).with_all(&denial.fields)),
                    reason: Some("auth_denied"),
                })
            }
        }
    }

    /// The answer to a question that was asked before, or is being asked; else it is asked now.
    async fn remembered(
        &self,
        route: usize,
        wanted: &AuthRequest,
        keep: Duration,
        about: About<'_>,
    ) -> Result<Verdict, Refusal> {
        let identity = identity(route, &wanted.cache_key, about.head, about.caller);
        let asking = match self.verdicts.look_up(identity, monotonic_ns()) {
            Known::Verdict(verdict) => return Ok(verdict),
            Known::Nothing(asking) => Some(asking),
            Known::Asked(told) => {
                // Whoever asks is bounded in time, so this is. One wait is enough: an answer that
                // is not for keeping would have them all ask one after the other.
                told.notified().await;
                match self.verdicts.look_up(identity, monotonic_ns()) {
                    Known::Verdict(verdict) => return Ok(verdict),
                    Known::Nothing(asking) => Some(asking),
                    Known::Asked(_) => None,
                }
            }
        };
        let (verdict, may_keep) = self.verdict(wanted, about).await?;
        if let Some(asking) = asking.filter(|_| may_keep) {
            let until_ns = monotonic_ns().saturating_add(keep.as_nanos() as u64);
            asking.remember(verdict.clone(), until_ns);
        }
        Ok(verdict)
    }

    /// Asks the service; also whether its answer may stand for others.
    async fn verdict(
        &self,
        wanted: &AuthRequest,
        about: About<'_>,
    ) -> Result<(Verdict, bool), Refusal> {
        let About {
            head,
            caller,
            trace,
        } = about;
        let own = trace.and_then(Trace::of_question);
        let told = own.as_ref().or(trace);
        let question = question(wanted, head, caller, &self.forwarding, told);
        let question = question.map_err(|_| Refusal {
            reply: Some(Reply::new(StatusCode::INTERNAL_SERVER_ERROR)),
            reason: Some("auth_path"),
        })?;
        let began_ns = monotonic_ns();
        let answer = Box::pin(self.ask(wanted, &question, caller)).await;
        if let Some(ids) = own.and_then(|own| own.span) {
            let asked = Asked {
                method: question.method.as_str(),
                host: question.authority.as_str(),
                target: question.target.as_str(),
                upstream: self.upstreams.group(wanted.upstream).name(),
                status: answer.as_ref().ok().map(|answer| answer.status.as_u16()),
                error: answer.as_ref().err().map(UpstreamError::reason),
                duration_us: elapsed_us(began_ns, monotonic_ns()),
            };
            let span = Span::asked(ids, &asked, unix_ns());
            self.spans.borrow_mut().record(span);
        }
        let answer = answer.map_err(|error| {
            let upstream = self.upstreams.group(wanted.upstream).name();
            tracing::debug!(upstream, %error, "auth service failed");
            Refusal {
                reply: Some(Reply::new(error.status())),
                reason: Some(match error.status() {
                    StatusCode::GATEWAY_TIMEOUT => "auth_timeout",
                    _ => "auth_unavailable",
                }),
            }
        })?;
        let fields = &answer.fields;
        let elsewhere = elsewhere(&answer);
        // The way back from there is that of one request.
        let may_keep = elsewhere.is_none()
            && fields.values_of("set-cookie").next().is_none()
            && !fields
                .values_of("cache-control")
                .flat_map(|value| value.split(|&b| b == b','))
                .any(|item| item.trim_ascii().eq_ignore_ascii_case(b"no-store"));
        let verdict = match answer.status {
            status if status.is_success() => Verdict::Consent(Rc::new(Consent {
                fields: chosen(fields, &wanted.upstream_fields),
                user: wanted
                    .user_field
                    .as_ref()
                    .and_then(|name| user(fields, name)),
            })),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Verdict::Denial(Rc::new(Denial {
                    status,
                    fields: chosen(fields, &wanted.refusal_fields),
                }))
            }
            status if let Some(location) = elsewhere => {
                let mut fields = chosen(fields, &wanted.refusal_fields);
                if fields.values_of("location").next().is_none() {
                    fields.push(b"location", location);
                }
                Verdict::Denial(Rc::new(Denial { status, fields }))
            }
            status => {
                let upstream = self.upstreams.group(wanted.upstream).name();
                let status = status.as_u16();
                tracing::debug!(upstream, status, "auth service gave an answer that is none");
                return Err(Refusal {
                    reply: Some(Reply::new(StatusCode::BAD_GATEWAY)),
                    reason: Some("auth_answer"),
                });
            }
        };
        Ok((verdict, may_keep))
    }

    async fn ask(
        &self,
        wanted: &AuthRequest,
        question: &RequestHead,
        caller: &Caller,
    ) -> Result<ResponseHead, UpstreamError> {
        let group = self.upstreams.group(wanted.upstream);
        let sender = group.sender(caller.peer.addr, question);
        let mut lease = group.lease(&sender).await?;
        let mut is_first = true;
        loop {
            let reused = lease.reused;
            let conn = lease.conn();
            conn.start(question, question.authority.as_str());
            let answered = net::timeout(wanted.timeout, poll_fn(|cx| answer(conn, cx)));
            match answered.await.unwrap_or(Err(UpstreamError::Timeout)) {
                Ok(answer) => {
                    lease.succeeded();
                    drain(lease).await;
                    return Ok(answer);
                }
                // It was closed while nobody used it, and a GET may be sent again (RFC 9110 §9.2.2).
                Err(
                    UpstreamError::Broken(_)
                    | UpstreamError::Closed
                    | UpstreamError::Unprocessed(_),
                ) if reused && is_first => {
                    is_first = false;
                    lease = group.lease_new(&lease, &sender).await?;
                }
                Err(error) => {
                    lease.failed(group, &error);
                    return Err(error);
                }
            }
        }
    }
}

fn answer(conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, UpstreamError>> {
    if let Poll::Ready(Err(error)) = conn.poll_flush(cx) {
        return Poll::Ready(Err(UpstreamError::Broken(error)));
    }
    loop {
        match ready!(conn.poll_head(cx))? {
            upstream::Reply::Interim(_) => {}
            upstream::Reply::Final(head) => return Poll::Ready(Ok(head)),
            upstream::Reply::Switched(_) => {
                return Poll::Ready(Err(UpstreamError::UnexpectedUpgrade));
            }
        }
    }
}

/// Reads the rest of a short answer, so that the connection can be used again; a long one is cut.
async fn drain(mut lease: Lease) {
    let conn = lease.conn();
    let mut left = CONTENT_BYTES_MAX;
    let read = poll_fn(|cx| {
        loop {
            match ready!(conn.poll_body(cx, usize::MAX)) {
                Ok(Some(Frame::Data(data))) => match left.checked_sub(data.len()) {
                    Some(rest) => left = rest,
                    None => return Poll::Ready(()),
                },
                Ok(Some(Frame::Trailers(_))) => {}
                Ok(None) | Err(_) => return Poll::Ready(()),
            }
        }
    });
    // What is not read whole is not used again: the lease sees to that.
    let _ = net::timeout(CONTENT_TIMEOUT, read).await;
}

/// Where an answer sends the client instead: to log in, as a rule.
fn elsewhere(answer: &ResponseHead) -> Option<&[u8]> {
    let mut locations = answer.fields.values_of("location");
    match (answer.status.as_u16(), locations.next(), locations.next()) {
        (301 | 302 | 303 | 307 | 308, Some(location), None) => Some(location),
        _ => None,
    }
}

/// The fields of these names, in lower case.
fn chosen(fields: &Fields, names: &[Box<str>]) -> Fields {
    let mut chosen = Fields::default();
    for name in names {
        for value in fields.values_of(name) {
            chosen.push(name.as_bytes(), value);
        }
    }
    chosen
}

fn user(fields: &Fields, name: &str) -> Option<Box<str>> {
    let value = fields.values_of(name).next()?;
    let value = str::from_utf8(value).ok()?;
    let fits = !value.is_empty() && value.len() <= USER_BYTES_MAX;
    fits.then(|| value.into())
}

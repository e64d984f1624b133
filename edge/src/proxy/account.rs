//! What is known of an exchange once it has ended: one log line, one metrics sample.

use std::rc::Rc;

use http::StatusCode;

use super::answer::elapsed_us;
use super::cache::Capture;
use super::caller::Caller;
use super::configured::Proxy;
use super::exchange::{Peer, client_gone};
use super::relay::Progress;
use super::reply::Page;
use super::request_id::RequestId;
use super::rules::ResponseRules;
use super::trace::{self, Trace};
use crate::clock::{monotonic_ns, unix_ns};
use crate::config::{ErrorPage, UpstreamId};
use crate::limit::Offence;
use crate::message::{Name, RequestHead, Version};
use crate::net::Urgent;
use crate::observe::access::Access;
use crate::observe::metrics::{McpSample, RequestSample, UpstreamFault};
use crate::observe::trace::Span;
use crate::observe::{CacheResult, McpFacts, Protocol};
use crate::upstream::{Lease, UpstreamError};

impl Proxy {
    /// Accounts for a request that was refused before there was a head to speak of, and for the
    /// offence that it may have been.
    pub fn refused(
        &self,
        peer: &Peer,
        protocol: Protocol,
        status: StatusCode,
        offence: Option<Offence>,
    ) {
        if let Some(offence) = offence {
            self.offence_of(peer, offence);
        }
        self.metrics.request(
            &self.series,
            &RequestSample {
                route: None,
                upstream: None,
                status: status.as_u16(),
                protocol,
                duration_us: 0,
                head_us: None,
                bytes_in: 0,
                bytes_out: 0,
            },
        );
        self.log.borrow_mut().record(&Access {
            client: peer.addr,
            protocol,
            tls: peer.tls,
            method: b"",
            host: None,
            target: b"",
            status: status.as_u16(),
            route: None,
            upstream: None,
            server: None,
            bytes_in: 0,
            bytes_out: 0,
            duration_us: 0,
            upstream_connect_us: None,
            upstream_head_us: None,
            upstream_reused: None,
            user_agent: None,
            request_id: None,
            user: None,
            cache: None,
            mcp: None,
            error: Some("bad_request"),
        });
    }
}

/// Gathers the facts of one exchange.
pub(super) struct Record<'a> {
    proxy: &'a Proxy,
    peer: &'a Peer,
    request_id: &'a RequestId,
    protocol: Protocol,
    started_ns: u64,
    leased_ns: Option<u64>,
    head_ns: Option<u64>,
    server: Option<Rc<str>>,
    reused: Option<bool>,
    bytes_in: u64,
    pub(super) status: Option<StatusCode>,
    pub(super) route: Option<usize>,
    pub(super) route_path: Option<&'a str>,
    pub(super) upstream: Option<UpstreamId>,
    pub(super) upstream_name: Option<&'a str>,
    pub(super) bytes_out: u64,
    pub(super) error: Option<&'static str>,
    /// The answer tells of HTTP/3.
    pub(super) advertises: bool,
    /// What is done to the fields of the answer.
    pub(super) rules: &'a ResponseRules<'a>,
    /// What the edge says itself is to be understood by an MCP client.
    pub(super) speaks_rpc: bool,
    /// The web page that asks and may read what it is told.
    pub(super) for_page: Option<Page>,
    /// Pages of the host.
    pub(super) pages: &'a [ErrorPage],
    /// The longest request body.
    pub(super) body_bytes_max: Option<u64>,
    /// Where traces are kept.
    pub(super) trace: Option<Box<Trace>>,
    /// On a route with `mcp`.
    pub(super) mcp: Option<McpFacts>,
    /// What the cache of the route did.
    pub(super) cache: Option<CacheResult>,
    /// Watches the answer for the cache.
    pub(super) capture: Option<Box<Capture>>,
    _urgent: Urgent,
}

impl<'a> Record<'a> {
    pub(super) fn start(
        proxy: &'a Proxy,
        head: &RequestHead,
        caller: &'a Caller,
        rules: &'a ResponseRules<'a>,
    ) -> Record<'a> {
        Record {
            proxy,
            peer: &caller.peer,
            request_id: &caller.request_id,
            protocol: match head.version {
                Version::Http10 => Protocol::Http10,
                Version::Http11 => Protocol::Http11,
                Version::Http2 => Protocol::H2,
                Version::Http3 => Protocol::H3,
            },
            started_ns: monotonic_ns(),
            leased_ns: None,
            head_ns: None,
            server: None,
            reused: None,
            bytes_in: 0,
            status: None,
            route: None,
            route_path: None,
            upstream: None,
            upstream_name: None,
            bytes_out: 0,
            error: None,
            advertises: false,
            rules,
            speaks_rpc: false,
            for_page: None,
            pages: &[],
            body_bytes_max: None,
            trace: None,
            mcp: None,
            cache: None,
            capture: None,
            _urgent: Urgent::new(),
        }
    }

    /// Whether there is something to be sent instead of an answer that fails.
    pub(super) fn has_stale(&self) -> bool {
        self.capture
            .as_ref()
            .is_some_and(|capture| capture.has_stale())
    }

    /// An upstream connection was found or made.
    pub(super) fn leased(&mut self, lease: &Lease) {
        self.leased_ns = Some(monotonic_ns());
        self.server = Some(Rc::clone(lease.name()));
        self.reused = Some(lease.reused);
    }

    /// The pump has stopped.
    pub(super) fn relayed(&mut self, progress: Progress) {
        self.status = progress.status;
        self.head_ns = progress.status.map(|_| progress.head_ns);
        self.error = self.error.or(progress.ended_for);
        self.bytes_in = progress.bytes_in;
        self.bytes_out = progress.bytes_out;
    }

    /// The upstream is to blame.
    pub(super) fn upstream_failed(&mut self, error: &UpstreamError) {
        self.error = Some(error.reason());
        let fault = match error {
            UpstreamError::Connect(_) | UpstreamError::Gone | UpstreamError::Unresolved => {
                UpstreamFault::Connect
            }
            UpstreamError::Full => UpstreamFault::Full,
            UpstreamError::ConnectTimeout => UpstreamFault::ConnectTimeout,
            UpstreamError::Timeout => UpstreamFault::ResponseTimeout,
            UpstreamError::Broken(_) | UpstreamError::Closed => UpstreamFault::Closed,
            _ => UpstreamFault::BadResponse,
        };
        if let Some(upstream) = self.upstream {
            self.proxy.series.upstream_error(upstream, fault);
        }
        tracing::debug!(
            upstream = self.upstream_name,
            server = self.server.as_deref(),
            %error,
            "upstream failed"
        );
    }

    /// Writes the line and counts the request.
    pub(super) fn finish(self, head: &RequestHead) {
        let status = self.status.unwrap_or_else(client_gone).as_u16();
        let duration_us = elapsed_us(self.started_ns, monotonic_ns());
        let since_lease = |at: u64| elapsed_us(self.leased_ns.unwrap_or(self.started_ns), at);
        let head_us = self.head_ns.map(since_lease);
        self.proxy.metrics.request(
            &self.proxy.series,
            &RequestSample {
                route: self.route,
                upstream: self.upstream,
                status,
                protocol: self.protocol,
                duration_us,
                head_us,
                bytes_in: self.bytes_in,
                bytes_out: self.bytes_out,
            },
        );
        if let Some(facts) = &self.mcp {
            self.proxy.metrics.mcp(&McpSample {
                facts,
                upstream: self.upstream_name.unwrap_or("none"),
                status,
                duration_us,
            });
        }
        if let Some(result) = self.cache {
            self.proxy.metrics.cache(result);
        }
        let host = head.authority.as_str();
        let access = Access {
            client: self.peer.addr,
            protocol: self.protocol,
            tls: self.peer.tls,
            method: head.method.as_str().as_bytes(),
            host: (!host.is_empty()).then_some(host.as_bytes()),
            target: head.target.as_str().as_bytes(),
            status,
            route: self.route_path,
            upstream: self.upstream_name,
            server: self.server.as_deref(),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            duration_us,
            upstream_connect_us: self
                .leased_ns
                .filter(|_| self.reused == Some(false))
                .map(|at| elapsed_us(self.started_ns, at)),
            upstream_head_us: head_us,
            upstream_reused: self.reused,
            user_agent: head.fields.value(Name::UserAgent),
            request_id: Some(self.request_id.as_bytes()),
            user: self.peer.user(),
            cache: self.cache,
            mcp: self.mcp.as_ref(),
            error: self.error,
        };
        self.proxy.log.borrow_mut().record(&access);
        if let Some(ids) = self.trace.as_ref().and_then(|trace| trace.span) {
            let trace_state = ids.parent.and_then(|_| trace::state(&head.fields));
            let span = Span::new(ids, trace_state, &access, unix_ns());
            self.proxy.spans.borrow_mut().record(span);
        }
        if let Some(facts) = self.mcp {
            self.proxy.subjects.keep(facts.subject);
        }
    }
}

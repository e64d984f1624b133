//! What one exchange leaves behind for its span.

use std::net::IpAddr;

use crate::observe::access::Access;
use crate::observe::{McpFacts, Protocol};

/// Bytes kept of what clients choose.
const TEXT_MAX: usize = 512;

/// Which span it is, and of which trace.
#[derive(Clone, Copy, Debug)]
pub struct SpanIds {
    /// The trace.
    pub trace: [u8; 16],
    /// The span itself.
    pub span: [u8; 8],
    /// The span that it is part of; `None` where the trace begins here.
    pub parent: Option<[u8; 8]>,
}

/// A finished exchange on its way to a collector: bounded, and free of the query, which holds tokens.
#[derive(Debug)]
pub struct Span {
    pub(super) ids: SpanIds,
    /// The edge asked; else it answered.
    pub(super) asks: bool,
    pub(super) trace_state: Option<Box<str>>,
    /// When it ended, in Unix time.
    pub(super) end_ns: u64,
    pub(super) duration_us: u64,
    pub(super) head_us: Option<u64>,
    pub(super) method: Box<str>,
    pub(super) host: Option<Box<str>>,
    pub(super) path: Box<str>,
    pub(super) route: Option<Box<str>>,
    pub(super) upstream: Option<Box<str>>,
    pub(super) server: Option<Box<str>>,
    pub(super) user_agent: Option<Box<str>>,
    pub(super) request_id: Option<Box<str>>,
    pub(super) protocol: Protocol,
    pub(super) is_tls: bool,
    pub(super) client: Option<IpAddr>,
    /// 0 where none came.
    pub(super) status: u16,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) mcp: Option<Box<McpFacts>>,
    pub(super) error: Option<&'static str>,
}

impl Span {
    /// The span of an exchange that ended at `end_ns`.
    pub fn new(ids: SpanIds, trace_state: Option<&[u8]>, access: &Access<'_>, end_ns: u64) -> Span {
        let path = access.target.split(|byte| matches!(byte, b'?' | b'#'));
        Span {
            ids,
            asks: false,
            // One that does not fit whole is of no use to anybody.
            trace_state: trace_state
                .filter(|state| state.len() <= TEXT_MAX)
                .map(text),
            end_ns,
            duration_us: access.duration_us,
            head_us: access.upstream_head_us,
            method: text(access.method),
            host: access.host.map(text),
            path: path.take(1).map(text).next().unwrap_or_default(),
            route: access.route.map(Box::from),
            upstream: access.upstream.map(Box::from),
            server: access.server.map(Box::from),
            user_agent: access.user_agent.map(text),
            request_id: access.request_id.map(text),
            protocol: access.protocol,
            is_tls: access.tls.is_some(),
            client: Some(access.client.ip().to_canonical()),
            status: access.status,
            bytes_in: access.bytes_in,
            bytes_out: access.bytes_out,
            mcp: access.mcp.cloned().map(Box::new),
            error: access.error,
        }
    }
}

/// A question of the edge's own about a request, to a service.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a str,
    /// The host that was named.
    pub host: &'a str,
    /// The target.
    pub target: &'a str,
    /// The upstream that was asked.
    pub upstream: &'a str,
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// Why none came.
    pub error: Option<&'static str>,
    /// From the question to the head of the answer.
    pub duration_us: u64,
}

impl Span {
    /// The span of a question whose answer came at `end_ns`.
    pub fn asked(ids: SpanIds, asked: &Asked<'_>, end_ns: u64) -> Span {
        let path = asked.target.split(['?', '#']).next().unwrap_or_default();
        Span {
            ids,
            asks: true,
            trace_state: None,
            end_ns,
            duration_us: asked.duration_us,
            head_us: None,
            method: asked.method.into(),
            host: Some(text(asked.host.as_bytes())),
            path: text(path.as_bytes()),
            route: None,
            upstream: Some(asked.upstream.into()),
            server: None,
            user_agent: None,
            request_id: None,
            protocol: Protocol::Http11,
            is_tls: false,
            client: None,
            status: asked.status.unwrap_or(0),
            bytes_in: 0,
            bytes_out: 0,
            mcp: None,
            error: asked.error,
        }
    }
}

fn text(bytes: &[u8]) -> Box<str> {
    let bytes = &bytes[..bytes.len().min(TEXT_MAX)];
    String::from_utf8_lossy(bytes).into()
}

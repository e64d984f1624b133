//! One finished exchange, and the line it becomes.
//!
//! Field names are part of the interface: dashboards and log pipelines depend on them. Optional
//! fields are left out, not null. The query of a request never reaches the log, because clients put
//! tokens there; `"query":true` says that there was one.

use std::net::SocketAddr;

use super::value::{NAME_MAX, bytes, ip, millis, number, text, word};
use crate::config::{LogField, LogFields};
use crate::observe::{CacheResult, McpFacts, Protocol};

/// Bytes kept of the fields that a client chooses.
const METHOD_MAX: usize = 32;
const HOST_MAX: usize = 255;
const PATH_MAX: usize = 512;
const USER_AGENT_MAX: usize = 256;
const REQUEST_ID_MAX: usize = 128;
/// A finished exchange as the access log shows it.
///
/// Client-chosen fields are raw bytes and may hold anything; they are cut and escaped on the way
/// out. Times are microseconds, byte counts are those of bodies.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// The client; an IPv4-mapped IPv6 address is shown as IPv4.
    pub client: SocketAddr,
    /// What the exchange was spoken in.
    pub protocol: Protocol,
    /// `TLSv1.3` or `TLSv1.2`; `None` over plain TCP.
    pub tls: Option<&'a str>,
    /// The method; empty when the request line could not be read.
    pub method: &'a [u8],
    /// `Host` or `:authority` as sent.
    pub host: Option<&'a [u8]>,
    /// The request target as sent; only what precedes the first `?` or `#` is logged.
    pub target: &'a [u8],
    /// Status answered; 499 when the client left before there was one.
    pub status: u16,
    /// Path of the matched route as configured.
    pub route: Option<&'a str>,
    /// Name of the upstream as configured.
    pub upstream: Option<&'a str>,
    /// Address of the upstream server that was used.
    pub server: Option<&'a str>,
    /// Body bytes received from the client.
    pub bytes_in: u64,
    /// Body bytes sent to the client.
    pub bytes_out: u64,
    /// From the first byte of the request head to the end of the exchange.
    pub duration_us: u64,
    /// To connect to the server; `None` when no connection was opened.
    pub upstream_connect_us: Option<u64>,
    /// From the request sent to the response head received.
    pub upstream_head_us: Option<u64>,
    /// Whether the upstream connection was a kept one.
    pub upstream_reused: Option<bool>,
    /// `User-Agent` as sent.
    pub user_agent: Option<&'a [u8]>,
    /// The ID that the upstream was told.
    pub request_id: Option<&'a [u8]>,
    /// Who asked, on a route that made sure of it.
    pub user: Option<&'a str>,
    /// What the cache of the route did.
    pub cache: Option<CacheResult>,
    /// What it was about, on a route with `mcp`.
    pub mcp: Option<&'a McpFacts>,
    /// Why the exchange failed: a short token such as `upstream_connect` or `client_gone`.
    pub error: Option<&'static str>,
}

impl Access<'_> {
    /// Appends the line with the fields that are wanted, newline included.
    pub(super) fn write(&self, out: &mut Vec<u8>, time: &[u8], wanted: LogFields) {
        use LogField::*;
        let start = out.len();
        let has = |field| wanted.has(field);
        // Each field brings the comma before it; the first one's becomes the brace.
        if has(Time) {
            out.extend_from_slice(b",\"time\":\"");
            out.extend_from_slice(time);
            out.push(b'"');
        }
        if has(Client) {
            out.extend_from_slice(b",\"client\":\"");
            ip(out, self.client.ip());
            out.push(b'"');
        }
        if has(ClientPort) {
            number(out, ",\"client_port\":", self.client.port().into());
        }
        if has(Protocol) {
            text(out, ",\"protocol\":\"", Some(self.protocol.as_str()));
        }
        if has(Tls) {
            text(out, ",\"tls\":\"", self.tls);
        }
        if has(Method) && !self.method.is_empty() {
            bytes(out, ",\"method\":\"", self.method, METHOD_MAX);
        }
        if let Some(host) = self.host.filter(|_| has(Host)) {
            bytes(out, ",\"host\":\"", host, HOST_MAX);
        }
        self.write_target(out, wanted);
        if has(Status) {
            number(out, ",\"status\":", self.status.into());
        }
        if has(Route) {
            text(out, ",\"route\":\"", self.route);
        }
        if has(Upstream) {
            text(out, ",\"upstream\":\"", self.upstream);
        }
        if has(Server) {
            text(out, ",\"server\":\"", self.server);
        }
        if has(BytesIn) {
            number(out, ",\"bytes_in\":", self.bytes_in);
        }
        if has(BytesOut) {
            number(out, ",\"bytes_out\":", self.bytes_out);
        }
        if has(DurationMs) {
            millis(out, ",\"duration_ms\":", Some(self.duration_us));
        }
        if has(UpstreamConnectMs) {
            millis(out, ",\"upstream_connect_ms\":", self.upstream_connect_us);
        }
        if has(UpstreamHeadMs) {
            millis(out, ",\"upstream_head_ms\":", self.upstream_head_us);
        }
        match self.upstream_reused.filter(|_| has(UpstreamReused)) {
            Some(true) => out.extend_from_slice(b",\"upstream_reused\":true"),
            Some(false) => out.extend_from_slice(b",\"upstream_reused\":false"),
            None => {}
        }
        if let Some(user_agent) = self.user_agent.filter(|_| has(UserAgent)) {
            bytes(out, ",\"user_agent\":\"", user_agent, USER_AGENT_MAX);
        }
        if let Some(request_id) = self.request_id.filter(|_| has(RequestId)) {
            bytes(out, ",\"request_id\":\"", request_id, REQUEST_ID_MAX);
        }
        if has(User) {
            text(out, ",\"user\":\"", self.user);
        }
        if let Some(result) = self.cache.filter(|_| has(Cache)) {
            text(out, ",\"cache\":\"", Some(result.name()));
        }
        if let Some(mcp) = self.mcp.filter(|_| has(Mcp)) {
            write_mcp(out, mcp);
        }
        if has(Error) {
            text(out, ",\"error\":\"", self.error);
        }
        match out.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => out.push(b'{'),
        }
        out.extend_from_slice(b"}\n");
    }

    fn write_target(&self, out: &mut Vec<u8>, wanted: LogFields) {
        let end = memchr::memchr2(b'?', b'#', self.target);
        let path = &self.target[..end.unwrap_or(self.target.len())];
        if wanted.has(LogField::Path) && !path.is_empty() {
            bytes(out, ",\"path\":\"", path, PATH_MAX);
        }
        if wanted.has(LogField::Query) && end.is_some() {
            out.extend_from_slice(b",\"query\":true");
        }
    }
}

fn write_mcp(out: &mut Vec<u8>, mcp: &McpFacts) {
    word(out, ",\"mcp_era\":\"", mcp.era.as_str());
    word(out, ",\"mcp_class\":\"", mcp.class.as_str());
    let method = mcp.subject.method.start();
    if !method.is_empty() {
        bytes(out, ",\"mcp_method\":\"", method, NAME_MAX);
    }
    let tool = mcp.subject.tool();
    if !tool.is_empty() {
        bytes(out, ",\"mcp_tool\":\"", tool, NAME_MAX);
    }
    if let Some(session) = mcp.session {
        let hash = session.to_be_bytes();
        let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
        out.extend_from_slice(b",\"mcp_session\":\"");
        out.extend(
            hash.iter()
                .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]),
        );
        out.push(b'"');
    }
    if mcp.events > 0 {
        number(out, ",\"mcp_events\":", mcp.events);
    }
}

#[cfg(test)]
mod tests;

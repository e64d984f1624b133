//! One finished exchange, and the line it becomes.
//!
//! Field names are part of the interface: dashboards and log pipelines depend on them. Optional
//! fields are left out, not null. The query of a request never reaches the log, because clients put
//! tokens there; `"query":true` says that there was one.

use std::net::{IpAddr, SocketAddr};

use super::json;
use crate::config::{LogField, LogFields};
use crate::observe::{CacheResult, McpFacts, Protocol};

/// Bytes kept of the fields that a client chooses.
const METHOD_MAX: usize = 32;
const HOST_MAX: usize = 255;
const PATH_MAX: usize = 512;
const USER_AGENT_MAX: usize = 256;
const REQUEST_ID_MAX: usize = 128;
/// Bytes kept of the fields that come from the configuration.
const NAME_MAX: usize = 256;

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
    text(out, ",\"mcp_era\":\"", Some(mcp.era.as_str()));
    text(out, ",\"mcp_class\":\"", Some(mcp.class.as_str()));
    let method = mcp.method.start();
    if !method.is_empty() {
        bytes(out, ",\"mcp_method\":\"", method, NAME_MAX);
    }
    let tool = mcp.tool.start();
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

// In these, `open` is everything up to the value, so that it is copied in one piece.

fn bytes(out: &mut Vec<u8>, open: &str, value: &[u8], max: usize) {
    out.extend_from_slice(open.as_bytes());
    json::push(out, value, max);
    out.push(b'"');
}

fn text(out: &mut Vec<u8>, open: &str, value: Option<&str>) {
    if let Some(value) = value {
        bytes(out, open, value.as_bytes(), NAME_MAX);
    }
}

fn number(out: &mut Vec<u8>, open: &str, value: u64) {
    out.extend_from_slice(open.as_bytes());
    decimal(out, value);
}

/// Microseconds as milliseconds with three decimals.
fn millis(out: &mut Vec<u8>, open: &str, value_us: Option<u64>) {
    let Some(value_us) = value_us else { return };
    number(out, open, value_us / 1000);
    let fraction = value_us % 1000;
    let digit = |divisor| b'0' + (fraction / divisor % 10) as u8;
    out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
}

pub(super) fn decimal(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

pub(super) fn ip(out: &mut Vec<u8>, addr: IpAddr) {
    match addr.to_canonical() {
        IpAddr::V4(addr) => {
            for (position, octet) in addr.octets().into_iter().enumerate() {
                if position > 0 {
                    out.push(b'.');
                }
                decimal(out, octet.into());
            }
        }
        IpAddr::V6(addr) => {
            use std::io::Write;
            write!(out, "{addr}").expect("a vector takes every byte");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Access;
    use crate::config::{LogField, LogFields};
    use crate::mcp::{Class, Era};
    use crate::observe::{McpFacts, Protocol};
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    fn access<'a>() -> Access<'a> {
        Access {
            client: SocketAddr::from(([203, 0, 113, 7], 49_152)),
            protocol: Protocol::H2,
            tls: Some("TLSv1.3"),
            method: b"POST",
            host: Some(b"mcp.example.com"),
            target: b"/mcp",
            status: 200,
            route: Some("/mcp"),
            upstream: Some("tools"),
            server: Some("127.0.0.1:8000"),
            bytes_in: 200,
            bytes_out: 1024,
            duration_us: 12_345,
            upstream_connect_us: None,
            upstream_head_us: Some(11_002),
            upstream_reused: Some(true),
            user_agent: Some(b"python-httpx/0.28"),
            request_id: Some(b"01-ab"),
            user: Some("ann"),
            cache: None,
            mcp: None,
            error: None,
        }
    }

    fn line(access: &Access<'_>) -> String {
        let mut out = Vec::new();
        access.write(&mut out, b"2026-11-05T12:28:16.789Z", LogFields::ALL);
        String::from_utf8(out).expect("lines are UTF-8")
    }

    #[test]
    fn a_proxied_exchange() {
        insta::assert_snapshot!(line(&access()), @r#"{"time":"2026-11-05T12:28:16.789Z","client":"203.0.113.7","client_port":49152,"protocol":"h2","tls":"TLSv1.3","method":"POST","host":"mcp.example.com","path":"/mcp","status":200,"route":"/mcp","upstream":"tools","server":"127.0.0.1:8000","bytes_in":200,"bytes_out":1024,"duration_ms":12.345,"upstream_head_ms":11.002,"upstream_reused":true,"user_agent":"python-httpx/0.28","request_id":"01-ab","user":"ann"}"#);
    }

    #[test]
    fn a_tool_call() {
        let facts = McpFacts {
            era: Era::Legacy,
            class: Class::Call,
            method: (&b"tools/call"[..]).into(),
            tool: (&b"se\"arch"[..]).into(),
            session: Some(0x00ab_cdef_0123_4567),
            events: 3,
            is_stream: true,
            refusal: None,
        };
        let line = line(&Access {
            mcp: Some(&facts),
            ..access()
        });
        insta::assert_snapshot!(line, @r#"{"time":"2026-11-05T12:28:16.789Z","client":"203.0.113.7","client_port":49152,"protocol":"h2","tls":"TLSv1.3","method":"POST","host":"mcp.example.com","path":"/mcp","status":200,"route":"/mcp","upstream":"tools","server":"127.0.0.1:8000","bytes_in":200,"bytes_out":1024,"duration_ms":12.345,"upstream_head_ms":11.002,"upstream_reused":true,"user_agent":"python-httpx/0.28","request_id":"01-ab","user":"ann","mcp_era":"legacy","mcp_class":"call","mcp_method":"tools/call","mcp_tool":"se\"arch","mcp_session":"00abcdef01234567","mcp_events":3}"#);
    }

    #[test]
    fn chosen_fields_in_the_order_of_the_line() {
        let chosen = |fields: &[LogField]| {
            let mut out = Vec::new();
            let fields = fields.iter().copied().collect();
            access().write(&mut out, b"2026-11-05T12:28:16.789Z", fields);
            String::from_utf8(out).expect("lines are UTF-8")
        };
        assert_eq!(
            chosen(&[LogField::Status, LogField::Path, LogField::UserAgent]),
            "{\"path\":\"/mcp\",\"status\":200,\"user_agent\":\"python-httpx/0.28\"}\n"
        );
        assert_eq!(chosen(&[LogField::Error]), "{}\n");
        // What is chosen by name is what a line calls it.
        for &(name, field) in LogField::ALL {
            let line = chosen(&[field]);
            let shown = line.contains(&format!("{{\"{name}\":"));
            let has_none =
                ["query", "upstream_connect_ms", "cache", "mcp", "error"].contains(&name);
            assert_eq!(shown, !has_none, "{name}: {line}");
        }
    }

    #[test]
    fn a_request_that_could_not_be_read() {
        let line = line(&Access {
            client: "[::ffff:198.51.100.9]:7".parse().expect("an address"),
            protocol: Protocol::Http11,
            tls: None,
            method: b"",
            host: None,
            target: b"",
            status: 400,
            route: None,
            upstream: None,
            server: None,
            bytes_in: 0,
            bytes_out: 0,
            duration_us: 90,
            upstream_head_us: None,
            upstream_reused: None,
            user_agent: None,
            request_id: None,
            user: None,
            error: Some("bad_request"),
            ..access()
        });
        insta::assert_snapshot!(line, @r#"{"time":"2026-11-05T12:28:16.789Z","client":"198.51.100.9","client_port":7,"protocol":"http/1.1","status":400,"bytes_in":0,"bytes_out":0,"duration_ms":0.090,"error":"bad_request"}"#);
    }

    #[test]
    fn a_hostile_request() {
        let line = line(&Access {
            client: "[2001:db8::1]:65535".parse().expect("an address"),
            protocol: Protocol::Http10,
            method: b"GE\"T",
            host: Some(b"a\r\nb"),
            target: "/\u{2028}\x1b[31m\\?access_token=secret".as_bytes(),
            status: 499,
            user_agent: Some(b"\xff\xfe"),
            request_id: None,
            user: None,
            upstream_connect_us: Some(1_000_001),
            error: Some("client_gone"),
            ..access()
        });
        insta::assert_snapshot!(line, @r#"{"time":"2026-11-05T12:28:16.789Z","client":"2001:db8::1","client_port":65535,"protocol":"http/1.0","tls":"TLSv1.3","method":"GE\"T","host":"a\r\nb","path":"/\u2028\u001b[31m\\","query":true,"status":499,"route":"/mcp","upstream":"tools","server":"127.0.0.1:8000","bytes_in":200,"bytes_out":1024,"duration_ms":12.345,"upstream_connect_ms":1000.001,"upstream_head_ms":11.002,"upstream_reused":true,"user_agent":"��","error":"client_gone"}"#);
    }

    proptest! {
        #[test]
        fn any_bytes_make_one_bounded_json_line_without_the_query(
            ip in any::<[u8; 4]>(),
            method in proptest::collection::vec(any::<u8>(), 0..100),
            host in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..600)),
            path in proptest::collection::vec(any::<u8>(), 0..1200),
            query in proptest::option::of("[a-z]{16}"),
            user_agent in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..600)),
            duration_us in any::<u64>(),
        ) {
            let mut target = path.clone();
            if let Some(query) = &query {
                target.push(b'?');
                target.extend_from_slice(query.as_bytes());
            }
            let line = line(&Access {
                client: SocketAddr::new(IpAddr::V4(Ipv4Addr::from(ip)), 1),
                method: &method,
                host: host.as_deref(),
                target: &target,
                user_agent: user_agent.as_deref(),
                request_id: None,
                user: None,
                duration_us,
                ..access()
            });
            prop_assert!(line.len() < 8 * 1024);
            prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
            let fields: serde_json::Value = serde_json::from_str(&line).expect("valid JSON");
            prop_assert_eq!(&fields["client"], &Ipv4Addr::from(ip).to_string());
            prop_assert_eq!(fields["host"].is_string(), host.is_some());
            if let Some(query) = query {
                prop_assert!(!line.contains(&query));
                prop_assert_eq!(fields["query"].as_bool(), Some(true));
            }
        }
    }
}

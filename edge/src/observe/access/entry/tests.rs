//! Lines as they are read by others.

use super::Access;
use crate::config::{LogField, LogFields};
use crate::mcp::{Class, Era, Subject};
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
        subject: Box::new(Subject {
            method: (&b"tools/call"[..]).into(),
            name: (&b"se\"arch"[..]).into(),
        }),
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
        let has_none = ["query", "upstream_connect_ms", "cache", "mcp", "error"].contains(&name);
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

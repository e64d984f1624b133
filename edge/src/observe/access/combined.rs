//! The combined log format of Apache and nginx, for tools that read nothing else.
//!
//! `client - user [time] "METHOD path PROTOCOL" status bytes "-" "user agent"`. The query and the
//! referring page are left out, as in the JSON lines: clients put tokens there.

use super::entry::Access;
use super::value::{decimal, ip};
use crate::observe::Protocol;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
/// Bytes kept of what a client chooses.
const PATH_MAX: usize = 512;
const USER_AGENT_MAX: usize = 256;
const METHOD_MAX: usize = 32;
const USER_MAX: usize = 256;

/// Appends the line, newline included. `time` is in the form of RFC 3339.
pub(super) fn write(access: &Access<'_>, out: &mut Vec<u8>, time: &[u8]) {
    ip(out, access.client.ip());
    out.extend_from_slice(b" - ");
    match access.user {
        // Spaces separate the fields of a line.
        Some(user) => escaped(out, user.replace(' ', "_").as_bytes(), USER_MAX),
        None => out.push(b'-'),
    }
    out.extend_from_slice(b" [");
    date(out, time);
    out.extend_from_slice(b"] \"");
    if access.method.is_empty() {
        out.push(b'-');
    } else {
        escaped(out, access.method, METHOD_MAX);
        out.push(b' ');
        let end = memchr::memchr2(b'?', b'#', access.target);
        escaped(
            out,
            &access.target[..end.unwrap_or(access.target.len())],
            PATH_MAX,
        );
        out.push(b' ');
        out.extend_from_slice(match access.protocol {
            Protocol::Http10 => b"HTTP/1.0",
            Protocol::Http11 => b"HTTP/1.1",
            Protocol::H2 => b"HTTP/2.0",
            Protocol::H3 => b"HTTP/3.0",
        });
    }
    out.extend_from_slice(b"\" ");
    decimal(out, access.status.into());
    out.push(b' ');
    decimal(out, access.bytes_out);
    out.extend_from_slice(b" \"-\" \"");
    match access.user_agent {
        Some(user_agent) => escaped(out, user_agent, USER_AGENT_MAX),
        None => out.push(b'-'),
    }
    out.extend_from_slice(b"\"\n");
}

/// `2026-11-05T12:28:16.789Z` as `05/Nov/2026:12:28:16 +0000`.
fn date(out: &mut Vec<u8>, time: &[u8]) {
    let month = time[5..7]
        .iter()
        .fold(0, |n, digit| n * 10 + usize::from(digit - b'0'));
    out.extend_from_slice(&time[8..10]);
    out.push(b'/');
    out.extend_from_slice(MONTHS[(month.max(1) - 1) % 12]);
    out.push(b'/');
    out.extend_from_slice(&time[..4]);
    out.push(b':');
    out.extend_from_slice(&time[11..19]);
    out.extend_from_slice(b" +0000");
}

/// What is not printable ASCII, quotes and backslashes become `\\xXX`, as nginx writes them.
fn escaped(out: &mut Vec<u8>, value: &[u8], max: usize) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in &value[..value.len().min(max)] {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'x', high, low]);
            }
            byte => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn lines_are_those_that_log_tools_know() {
        let access = Access {
            client: SocketAddr::from(([203, 0, 113, 7], 49_152)),
            protocol: Protocol::H2,
            tls: Some("TLSv1.3"),
            method: b"POST",
            host: Some(b"mcp.example.com"),
            target: b"/mcp\"\r\n?token=secret",
            status: 200,
            route: None,
            upstream: None,
            server: None,
            bytes_in: 200,
            bytes_out: 1024,
            duration_us: 12_345,
            upstream_connect_us: None,
            upstream_head_us: None,
            upstream_reused: None,
            user_agent: Some(b"a\xffb\\c"),
            request_id: None,
            user: Some("ann b"),
            cache: None,
            mcp: None,
            error: None,
        };
        let line = |access: &Access<'_>| {
            let mut out = Vec::new();
            write(access, &mut out, b"2026-11-05T12:28:16.789Z");
            String::from_utf8(out).expect("lines are ASCII")
        };
        assert_eq!(
            line(&access),
            "203.0.113.7 - ann_b [05/Nov/2026:12:28:16 +0000] \"POST /mcp\\x22\\x0D\\x0A HTTP/2.0\" \
             200 1024 \"-\" \"a\\xFFb\\x5Cc\"\n"
        );
        let unread = Access {
            method: b"",
            user_agent: None,
            request_id: None,
            user: None,
            status: 400,
            ..access
        };
        assert!(line(&unread).starts_with("203.0.113.7 - - ["));
        assert!(line(&unread).ends_with("\"-\" 400 1024 \"-\" \"-\"\n"));
    }
}

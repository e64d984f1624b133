//! Requests the origin understands and what it answers. Pure: bytes in, bytes out.

use std::fmt::Write as _;

use thiserror::Error;

use super::websocket::accept_of;

/// Body of the answer to a call.
pub(crate) const ANSWER_BYTES: usize = 1024;
/// The id of a call comes back in its answer, so that the client can tell its own answer from any
/// other.
pub(crate) const NONCE_BYTES: usize = 16;
/// Where it is in the bodies of both.
pub(crate) const NONCE_AT: usize = BODY_START.len();
const BODY_START: &str = r#"{"jsonrpc":"2.0","id":""#;
/// Fields accepted in a head.
const FIELDS_MAX: usize = 64;
/// Largest body of a call.
const BODY_MAX: usize = 8 << 10;

/// One request at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// `POST` with a length: wants [`answer`] with this nonce.
    Call { nonce: [u8; NONCE_BYTES] },
    /// `GET /sse?interval_ms=`: wants an event stream; 0 means one event and then silence.
    Events { interval_ms: u64 },
    /// `GET ?bytes=`: wants a body of the pattern.
    Body { bytes: u64 },
    /// `GET` with an upgrade: wants a WebSocket, proven by this word.
    WebSocket { accept: String },
}

/// Why a connection is closed instead of answered.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Refusal {
    #[error("not HTTP/1.1 as the origin speaks it")]
    Malformed,
    #[error("a body without a length or too large")]
    Body,
}

/// The request at the start of `buffer` and its length, or `None` if more has to come.
pub(super) fn parse(buffer: &[u8]) -> Result<Option<(Request, usize)>, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let head_bytes = match head.parse(buffer) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Refusal::Malformed),
    };
    match head.method {
        Some("GET") => {
            let target = head.path.unwrap_or_default();
            let number = |name: &str| -> Option<u64> {
                let (_, value) = target.split_once(name)?;
                value.split('&').next()?.parse().ok()
            };
            let key = find(head.headers, "sec-websocket-key");
            let request = match (key, number("?bytes=")) {
                (Some(key), _) => Request::WebSocket {
                    accept: accept_of(key),
                },
                (None, Some(bytes)) => Request::Body { bytes },
                (None, None) => Request::Events {
                    interval_ms: number("interval_ms=").unwrap_or(0),
                },
            };
            Ok(Some((request, head_bytes)))
        }
        Some("POST") => {
            let length = find(head.headers, "content-length")
                .and_then(|value| str::from_utf8(value).ok()?.parse().ok())
                .filter(|length| (NONCE_AT + NONCE_BYTES..=BODY_MAX).contains(length))
                .ok_or(Refusal::Body)?;
            let Some(body) = buffer[head_bytes..].get(..length) else {
                return Ok(None);
            };
            let nonce = body[NONCE_AT..].first_chunk();
            let nonce = *nonce.expect("the length was checked above");
            Ok(Some((Request::Call { nonce }, head_bytes + length)))
        }
        _ => Err(Refusal::Malformed),
    }
}

fn find<'b>(fields: &[httparse::Header<'b>], name: &str) -> Option<&'b [u8]> {
    let field = fields
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(name))?;
    Some(field.value)
}

/// The body of every answer, but for the id.
pub(crate) fn answer_body() -> [u8; ANSWER_BYTES] {
    let start = format!(
        r#"{BODY_START}{}","result":{{"content":[{{"type":"text","text":""#,
        "0".repeat(NONCE_BYTES)
    );
    let end = br#""}]}}"#;
    let mut body = std::array::from_fn(|i| b'a' + (i % 26) as u8);
    body[..start.len()].copy_from_slice(start.as_bytes());
    body[ANSWER_BYTES - end.len()..].copy_from_slice(end);
    body
}

/// The whole answer to a call with a nonce of zeros, and where the nonce goes.
pub(super) fn answer() -> (Vec<u8>, usize) {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {ANSWER_BYTES}\r\n\r\n"
    )
    .into_bytes();
    let nonce_at = answer.len() + NONCE_AT;
    answer.extend_from_slice(&answer_body());
    (answer, nonce_at)
}

/// The head of an event stream.
pub(super) const EVENTS_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: text/event-stream\r\n\
    Cache-Control: no-cache\r\n\
    X-Accel-Buffering: no\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

/// One event as one chunk.
pub(super) fn write_event(out: &mut Vec<u8>, seq: u64, sent_us: u64) {
    let mut event = String::with_capacity(64);
    let _ = write!(event, "data: {{\"seq\":{seq},\"sent_us\":{sent_us}}}\n\n");
    let mut size = String::with_capacity(8);
    let _ = write!(size, "{:x}\r\n", event.len());
    out.extend_from_slice(size.as_bytes());
    out.extend_from_slice(event.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_taken_whole_and_give_their_nonce() {
        let call =
            b"POST /mcp HTTP/1.1\r\nHost: x\r\nCONTENT-LENGTH: 41\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":\"0123456789abcdef\"}";
        for end in 0..call.len() {
            assert_eq!(parse(&call[..end]), Ok(None), "{end} bytes");
        }
        let nonce = *b"0123456789abcdef";
        let pipelined = [&call[..], b"GET"].concat();
        let parsed = parse(&pipelined);
        assert_eq!(parsed, Ok(Some((Request::Call { nonce }, call.len()))));
    }

    #[test]
    fn an_answer_is_json_rpc_of_its_size() {
        let body = answer_body();
        let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(json["id"], "0".repeat(NONCE_BYTES));
        assert_eq!(json["result"]["content"][0]["type"], "text");
    }

    #[test]
    fn streams_carry_their_interval() {
        for (target, wanted) in [
            ("/sse", Request::Events { interval_ms: 0 }),
            (
                "/sse?interval_ms=250&n=1",
                Request::Events { interval_ms: 250 },
            ),
            ("/?bytes=70000", Request::Body { bytes: 70_000 }),
        ] {
            let request = format!("GET {target} HTTP/1.1\r\n\r\n");
            let parsed = parse(request.as_bytes());
            assert_eq!(parsed, Ok(Some((wanted, request.len()))));
        }
    }

    #[test]
    fn what_it_cannot_answer_is_refused() {
        for (request, refusal) in [
            ("nonsense\r\n\r\n", Refusal::Malformed),
            ("PUT / HTTP/1.1\r\n\r\n", Refusal::Malformed),
            ("POST / HTTP/1.1\r\n\r\n", Refusal::Body),
            (
                "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n",
                Refusal::Body,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n",
                Refusal::Body,
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Refusal::Body,
            ),
        ] {
            assert_eq!(parse(request.as_bytes()), Err(refusal), "{request:?}");
        }
    }

    #[test]
    fn an_event_is_one_chunk() {
        let mut out = Vec::new();
        write_event(&mut out, 3, 17);
        assert_eq!(out, b"1e\r\ndata: {\"seq\":3,\"sent_us\":17}\n\n\r\n");
    }
}

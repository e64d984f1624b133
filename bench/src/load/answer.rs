//! Checking an answer byte by byte. Pure.

use thiserror::Error;

use crate::origin::{ANSWER_BYTES, NONCE_AT, NONCE_BYTES};

/// Fields a proxy may put into a head.
const FIELDS_MAX: usize = 64;
/// Room for the largest answer that is accepted: a head and the body.
pub(super) const RECEIVE_BYTES: usize = 4096 + ANSWER_BYTES;

/// What is wrong with an answer.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Fault {
    #[error("the head is not HTTP/1.1")]
    Malformed,
    #[error("status {0}")]
    Status(u16),
    #[error("no Content-Length of {0}")]
    OtherLength(u64),
    #[error("the body is not the one that belongs to this request")]
    Body,
    #[error("more bytes than one answer")]
    Excess,
    #[error("not an event stream")]
    NotEvents,
    #[error("no agreement to a WebSocket")]
    NoUpgrade,
}

/// Whether `received` is the whole answer to the call with `nonce`, or the beginning of one.
///
/// `body` is the expected body; the nonce takes the place of its id.
pub(super) fn check_call(
    received: &[u8],
    nonce: &[u8; NONCE_BYTES],
    body: &[u8; ANSWER_BYTES],
) -> Result<bool, Fault> {
    let Some(head_bytes) = check_body(received, ANSWER_BYTES as u64)? else {
        return Ok(false);
    };
    let answer = &received[head_bytes..];
    if answer.len() > ANSWER_BYTES {
        return Err(Fault::Excess);
    }
    if answer.len() < ANSWER_BYTES {
        return Ok(false);
    }
    match is_answer(answer, nonce, body) {
        true => Ok(true),
        false => Err(Fault::Body),
    }
}

/// Whether `answer` is the body of the answer to the call with `nonce`.
pub(super) fn is_answer(
    answer: &[u8],
    nonce: &[u8; NONCE_BYTES],
    body: &[u8; ANSWER_BYTES],
) -> bool {
    const END: usize = NONCE_AT + NONCE_BYTES;
    answer.len() == ANSWER_BYTES
        && answer[..NONCE_AT] == body[..NONCE_AT]
        && answer[NONCE_AT..END] == *nonce
        && answer[END..] == body[END..]
}

/// Whether the server says that no further request will be served on the connection of this answer
/// (RFC 9112 §9.6).
pub(super) fn is_last(received: &[u8]) -> bool {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let Ok(Some((head, _))) = parse(received, 200, &mut fields) else {
        return false;
    };
    field(&head, "connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
}

/// Whether the head of an event stream is whole, and its length.
pub(super) fn check_events(received: &[u8]) -> Result<Option<usize>, Fault> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let Some((head, head_bytes)) = parse(received, 200, &mut fields)? else {
        return Ok(None);
    };
    match field(&head, "content-type") {
        Some(b"text/event-stream") => Ok(Some(head_bytes)),
        _ => Err(Fault::NotEvents),
    }
}

/// Whether the head that agrees to a WebSocket (RFC 6455 §4.1) is whole, and its length.
pub(super) fn check_upgrade(received: &[u8], accept: &[u8]) -> Result<Option<usize>, Fault> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let Some((head, head_bytes)) = parse(received, 101, &mut fields)? else {
        return Ok(None);
    };
    let agrees = field(&head, "upgrade").is_some_and(|v| v.eq_ignore_ascii_case(b"websocket"))
        && field(&head, "sec-websocket-accept") == Some(accept);
    match agrees {
        true => Ok(Some(head_bytes)),
        false => Err(Fault::NoUpgrade),
    }
}

/// Whether the head of a body of `bytes` is whole, and its length.
pub(super) fn check_body(received: &[u8], bytes: u64) -> Result<Option<usize>, Fault> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let Some((head, head_bytes)) = parse(received, 200, &mut fields)? else {
        return Ok(None);
    };
    let length = field(&head, "content-length").and_then(|value| str::from_utf8(value).ok());
    match length.and_then(|length| length.parse().ok()) == Some(bytes) {
        true => Ok(Some(head_bytes)),
        false => Err(Fault::OtherLength(bytes)),
    }
}

fn parse<'b, 'h>(
    received: &'b [u8],
    wanted: u16,
    fields: &'h mut [httparse::Header<'b>],
) -> Result<Option<(httparse::Response<'h, 'b>, usize)>, Fault> {
    let mut head = httparse::Response::new(fields);
    let bytes = match head.parse(received) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Fault::Malformed),
    };
    match head.code {
        Some(status) if status == wanted => Ok(Some((head, bytes))),
        status => Err(Fault::Status(status.unwrap_or(0))),
    }
}

fn field<'b>(head: &httparse::Response<'_, 'b>, name: &str) -> Option<&'b [u8]> {
    let field = head
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(name))?;
    Some(field.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::answer_body;

    const NONCE: &[u8; NONCE_BYTES] = b"0123456789abcdef";

    fn whole() -> Vec<u8> {
        let mut answer =
            format!("HTTP/1.1 200 OK\r\nserver: x\r\ncontent-length: {ANSWER_BYTES}\r\n\r\n")
                .into_bytes();
        let body = answer.len() + NONCE_AT;
        answer.extend_from_slice(&answer_body());
        answer[body..body + NONCE_BYTES].copy_from_slice(NONCE);
        answer
    }

    #[test]
    fn a_whole_answer_is_recognised_and_a_part_is_not() {
        let answer = whole();
        for end in 0..answer.len() {
            let part = check_call(&answer[..end], NONCE, &answer_body());
            assert_eq!(part, Ok(false), "{end} bytes");
        }
        assert_eq!(check_call(&answer, NONCE, &answer_body()), Ok(true));
        assert!(!is_last(&answer));
        assert!(is_last(b"HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n"));
    }

    #[test]
    fn every_deviation_is_a_fault() {
        let body = answer_body();
        let check = |answer: &[u8]| check_call(answer, NONCE, &body);
        let mut answer = whole();
        answer.push(b'x');
        assert_eq!(check(&answer), Err(Fault::Excess));
        answer.pop();
        *answer.last_mut().expect("not empty") ^= 1;
        assert_eq!(check(&answer), Err(Fault::Body));
        let crossed = check_call(&whole(), b"another nonce...", &body);
        assert_eq!(crossed, Err(Fault::Body));
        let gone = b"HTTP/1.1 502 Bad Gateway\r\n\r\n";
        assert_eq!(check(gone), Err(Fault::Status(502)));
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(check(chunked), Err(Fault::OtherLength(ANSWER_BYTES as u64)));
        assert_eq!(check(b"SSH-2.0\r\n\r\n"), Err(Fault::Malformed));
        assert_eq!(check_events(&whole()), Err(Fault::NotEvents));
        assert_eq!(check_body(&whole(), 7), Err(Fault::OtherLength(7)));
        let upgrade = b"HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        assert_eq!(check_upgrade(upgrade, b"x"), Ok(Some(upgrade.len())));
        assert_eq!(check_upgrade(upgrade, b"y"), Err(Fault::NoUpgrade));
    }
}

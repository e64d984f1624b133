//! OPTIONS that the edge answers itself (RFC 9110 §9.3.7, §7.6.2).

use http::{Method, StatusCode};

use super::reply::Reply;
use crate::message::RequestHead;

const MAX_FORWARDS: &str = "max-forwards";

/// The answer to a question about the server as a whole, or to one that may go no further.
pub(super) fn answered_here(head: &RequestHead) -> Option<Reply> {
    if head.method != Method::OPTIONS {
        return None;
    }
    let is_last = head.target.is_asterisk() || forwards_left(head) == Some(0);
    is_last.then(|| Reply::new(StatusCode::NO_CONTENT))
}

/// One hop fewer is left to a question that goes on.
pub(super) fn count_hop(head: &mut RequestHead) {
    if head.method == Method::OPTIONS
        && let Some(left) = forwards_left(head)
    {
        head.fields.remove_all(MAX_FORWARDS);
        let left = left.saturating_sub(1).to_string();
        head.fields.push(MAX_FORWARDS.as_bytes(), left.as_bytes());
    }
}

/// What is no number, or too large for one, is passed on as it came.
fn forwards_left(head: &RequestHead) -> Option<u64> {
    let value = head.fields.values_of(MAX_FORWARDS).next()?;
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(value).ok().filter(|_| is_number)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::h1::parse_request;

    fn parsed(line: &str, field: &str) -> RequestHead {
        let text = format!("{line} HTTP/1.1\r\nHost: h\r\n{field}\r\n");
        parse_request(text.as_bytes(), 100).expect("valid").0
    }

    #[test]
    fn questions_end_where_they_say() {
        let ends = |line, field| answered_here(&parsed(line, field)).is_some();
        assert!(ends("OPTIONS *", ""));
        assert!(ends("OPTIONS /a", "Max-Forwards: 0\r\n"));
        assert!(!ends("OPTIONS /a", ""));
        assert!(!ends("OPTIONS /a", "Max-Forwards: 1\r\n"));
        assert!(!ends("OPTIONS /a", "Max-Forwards: +0\r\n"));
        assert!(!ends("GET /a", "Max-Forwards: 0\r\n"));
    }

    #[test]
    fn hops_are_counted() {
        let counted = |line, field| {
            let mut head = parsed(line, field);
            count_hop(&mut head);
            let left = head.fields.values_of(MAX_FORWARDS).next();
            left.map(|left| String::from_utf8_lossy(left).into_owned())
        };
        let left = |text: &str| Some(text.to_owned());
        assert_eq!(counted("OPTIONS /a", "Max-Forwards: 10\r\n"), left("9"));
        assert_eq!(counted("OPTIONS /a", "Max-Forwards: x\r\n"), left("x"));
        assert_eq!(counted("GET /a", "Max-Forwards: 10\r\n"), left("10"));
        assert_eq!(counted("OPTIONS /a", ""), None);
    }
}

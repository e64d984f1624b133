//! Which responses are event streams.

/// Whether a `Content-Type` is `text/event-stream`, whatever its parameters and case
/// (RFC 9110 §8.3.1).
pub fn is_event_stream(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|&byte| byte == b';').next();
    media_type
        .unwrap_or_default()
        .trim_ascii()
        .eq_ignore_ascii_case(b"text/event-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter() {
        for yes in [
            "text/event-stream",
            "Text/Event-Stream",
            "text/event-stream;charset=utf-8",
            " text/event-stream ; charset=\"utf-8\"",
        ] {
            assert!(is_event_stream(yes.as_bytes()), "{yes}");
        }
        for no in [
            "",
            ";",
            "text/event-streams",
            "text/event",
            "application/json",
            "application/json; note=text/event-stream",
            "text/event-stream, text/plain",
        ] {
            assert!(!is_event_stream(no.as_bytes()), "{no}");
        }
    }
}

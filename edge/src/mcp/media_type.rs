//! Which responses are event streams, and which requests are plain JSON.

/// Whether a `Content-Type` is `text/event-stream`, whatever its parameters and case
/// (RFC 9110 §8.3.1).
pub fn is_event_stream(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|&byte| byte == b';').next();
    media_type
        .unwrap_or_default()
        .trim_ascii()
        .eq_ignore_ascii_case(b"text/event-stream")
}

/// Whether the values of `Content-Type` let a server read the body as JSON in UTF-8 (RFC 8259 §8.1), and as
/// nothing else.
///
/// Servers pick a parser by it, and some decode first what it names: to Express a key can hide in
/// `charset=utf-7`, and a whole call in a form. None at all picks nothing. What is quoted is read in too many
/// ways, but for the charset.
pub fn is_plain_json<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> bool {
    let Some(value) = values.next() else {
        return true;
    };
    let mut parts = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let media_type = parts.next().unwrap_or_default();
    let is_json = media_type.eq_ignore_ascii_case(b"application/json");
    is_json && values.next().is_none() && parts.all(is_harmless)
}

/// Of a parameter.
fn is_harmless(parameter: &[u8]) -> bool {
    let mut halves = parameter.splitn(2, |&byte| byte == b'=');
    let (name, value) = (halves.next().unwrap_or_default(), halves.next());
    if !name.trim_ascii().eq_ignore_ascii_case(b"charset") {
        return !parameter
            .iter()
            .any(|byte| matches!(byte, b'"' | b'\\' | b','))
            && !name.to_ascii_lowercase().starts_with(b"charset");
    }
    let value = value.unwrap_or_default().trim_ascii();
    let unquoted = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(value);
    unquoted.eq_ignore_ascii_case(b"utf-8") || unquoted.eq_ignore_ascii_case(b"utf8")
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

    #[test]
    fn plain_json_is_nothing_else() {
        let plain = |values: &[&str]| is_plain_json(values.iter().map(|value| value.as_bytes()));
        assert!(plain(&[]));
        for yes in [
            "application/json",
            "Application/JSON ;",
            "application/json;charset=utf-8",
            "application/json; Charset=\"UTF-8\"",
            "application/json; charset=utf8; v=1",
        ] {
            assert!(plain(&[yes]), "{yes}");
        }
        for no in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded; a=application/json",
            "application/json, application/x-www-form-urlencoded",
            "application/jsonl",
            "application/json; charset=utf-7",
            "application/json; charset=utf-16",
            "application/json; charset",
            "application/json; charset=utf-8; charset=utf-7",
            "application/json; charset = \"utf-7\"",
            "application/json; charset*=utf-8''utf-7",
            "application/json; a=\"; charset=utf-8",
            "application/json; a=\"\\\"; charset=utf-8;\"; charset=utf-7",
        ] {
            assert!(!plain(&[no]), "{no}");
        }
        assert!(!plain(&["application/json", "application/json"]));
    }
}

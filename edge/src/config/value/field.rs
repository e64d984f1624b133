//! Header fields as the file writes them: `"Name: value"`.

use super::{Invalid, quote};
use crate::config::types::{FieldMatch, FieldWant};

/// Fields that frame a message or belong to one hop (RFC 9110 §7.6.1): to change them would break
/// the connection, or let a request be read as two.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether text is a token (RFC 9110 §5.6.2), as the names of fields and methods are.
pub(in crate::config) fn is_token(text: &str) -> bool {
    let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.len() <= 256 && text.bytes().all(tchar)
}

/// Checks the name of a field; in lower case.
pub(in crate::config) fn check_field_name(name: &str) -> Result<String, Invalid> {
    let lower = name.to_ascii_lowercase();
    if !is_token(name) {
        return Err(Invalid::new(format!(
            "{} is not the name of a header field",
            quote(name)
        )));
    }
    match FRAMING.contains(&lower.as_str()) {
        true => Err(Invalid::new(format!(
            "{} is about the connection, which edge keeps itself",
            quote(name)
        ))),
        false => Ok(lower),
    }
}

/// Parses `"Name: value"`, `"Name"` or `"!Name"`.
pub(in crate::config) fn parse_field_match(text: &str) -> Result<FieldMatch, Invalid> {
    let (name, want) = match (text.strip_prefix('!'), text.split_once(':')) {
        (Some(name), None) => (name, FieldWant::Absent),
        (None, Some((name, value))) => (name, FieldWant::Value(value.trim().to_owned())),
        (None, None) => (text, FieldWant::Present),
        (Some(_), Some(_)) => {
            return Err(
                Invalid::new(format!("{} says both `!` and a value", quote(text)))
                    .fix("write \"!Name\" for a field that must not be there"),
            );
        }
    };
    let name = check_field_name(name)?;
    Ok(FieldMatch { name, want })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        for text in ["x-api: 2", "x-api", "!x-api"] {
            assert_eq!(parse_field_match(text).unwrap().to_string(), text);
        }
        let parsed = parse_field_match("X-Api:a: b ").unwrap();
        assert_eq!(parsed.to_string(), "x-api: a: b");
    }

    #[test]
    fn what_is_wrong() {
        let why = |text: &str| parse_field_match(text).unwrap_err().to_string();
        insta::assert_snapshot!(why("a b: c"), @r#""a b" is not the name of a header field"#);
        insta::assert_snapshot!(why(""), @r#""" is not the name of a header field"#);
        insta::assert_snapshot!(why("!a: b"), @r#""!a: b" says both `!` and a value; write "!Name" for a field that must not be there"#);
        insta::assert_snapshot!(why("Content-Length: 3"), @r#""Content-Length" is about the connection, which edge keeps itself"#);
    }
}

//! Header fields as the file writes them: `"Name: value"`.

use super::template::parse_template;
use super::{Invalid, quote};
use crate::config::types::{Change, FieldMatch, FieldRule, FieldWant, Template, Variable};

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

/// Parses `"Name: value"` (set), `"+Name: value"` (add) or `"-Name"` (remove).
pub(in crate::config) fn parse_field_rule(text: &str) -> Result<FieldRule, Invalid> {
    if let Some(name) = text.strip_prefix('-') {
        return match name.contains(':') {
            true => Err(Invalid::new(format!(
                "{} removes a field and gives it a value",
                quote(text)
            ))
            .fix("write \"-Name\" to remove, \"Name: value\" to set")),
            false => Ok(FieldRule::new(&check_field_name(name)?, Change::Remove)),
        };
    }
    let (add, rest) = match text.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let Some((name, value)) = rest.split_once(':') else {
        return Err(Invalid::new(format!("{} has no value", quote(text)))
            .fix("write \"Name: value\", or \"-Name\" to remove it"));
    };
    let name = check_field_name(name)?;
    let value = parse_template(value.trim())?;
    if value.pieces.is_empty() {
        return Err(Invalid::new(format!("{} has no value", quote(text)))
            .fix(format!("write \"-{name}\" to remove it")));
    }
    let change = if add {
        Change::Add(value)
    } else {
        Change::Set(value)
    };
    Ok(FieldRule::new(&name, change))
}

/// Refuses rules about fields that do not belong to the message, or only once.
pub(in crate::config) fn check_field_change(
    rule: &FieldRule,
    of_request: bool,
) -> Result<(), Invalid> {
    let named = |problem: &str| Invalid::new(format!("{} {problem}", quote(&rule.name)));
    match (&*rule.name, of_request, &rule.change) {
        ("host", true, Change::Set(_)) => Ok(()),
        ("host", true, _) => Err(named("must be there once").fix("write \"Host: name\"")),
        ("host", false, _) => Err(named("is a field of requests")),
        ("date", false, _) => Err(named("is kept by edge itself")),
        (_, false, Change::Set(value) | Change::Add(value)) if names_user(value) => Err(named(
            "names {user} or {claim:NAME}, which are not known yet when answers are prepared",
        )),
        ("strict-transport-security", true, _) => Err(named("is a field of responses")),
        _ => Ok(()),
    }
}

fn names_user(value: &Template) -> bool {
    value
        .variables()
        .any(|variable| matches!(variable, Variable::User | Variable::Claim(_)))
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
    fn rules() {
        let text = |text: &str| parse_template(text).unwrap();
        let rule = |text: &str| parse_field_rule(text).unwrap();
        let expected = |name, change| FieldRule::new(name, change);
        assert_eq!(rule("X-A: b c "), expected("x-a", Change::Set(text("b c"))));
        assert_eq!(
            rule("+X-A: {host}"),
            expected("x-a", Change::Add(text("{host}")))
        );
        assert_eq!(rule("-X-A"), expected("x-a", Change::Remove));
        let why = |text: &str| parse_field_rule(text).unwrap_err().to_string();
        insta::assert_snapshot!(why("X-A"), @r#""X-A" has no value; write "Name: value", or "-Name" to remove it"#);
        insta::assert_snapshot!(why("X-A: "), @r#""X-A: " has no value; write "-x-a" to remove it"#);
        insta::assert_snapshot!(why("-X-A: b"), @r#""-X-A: b" removes a field and gives it a value; write "-Name" to remove, "Name: value" to set"#);
        insta::assert_snapshot!(why("Transfer-Encoding: x"), @r#""Transfer-Encoding" is about the connection, which edge keeps itself"#);
        insta::assert_snapshot!(why("X: a\nb"), @r#""a\nb" holds '\n', and header fields are printable ASCII"#);
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

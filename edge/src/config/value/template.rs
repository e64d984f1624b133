//! Text with variables: `https://{host}{uri}`; `{{` and `}}` are the braces themselves.

use super::field::is_token;
use super::{Invalid, quote};
use crate::config::suggest::nearest;
use crate::config::types::{Piece, Template, Variable};

/// Longer text belongs elsewhere than in a header field.
const BYTES_MAX: usize = 4096;

/// Variables without an argument.
const PLAIN: &[(&str, Variable)] = &[
    ("client_ip", Variable::ClientIp),
    ("client_port", Variable::ClientPort),
    ("host", Variable::Host),
    ("port", Variable::Port),
    ("scheme", Variable::Scheme),
    ("method", Variable::Method),
    ("path", Variable::Path),
    ("query", Variable::Query),
    ("uri", Variable::Uri),
    ("rest", Variable::Rest),
    ("request_id", Variable::RequestId),
    ("user", Variable::User),
    ("tls_version", Variable::TlsVersion),
];

/// Parses a template whose text may stand in a field value or a URL.
pub(in crate::config) fn parse_template(text: &str) -> Result<Template, Invalid> {
    let invalid = |problem: &str| Invalid::new(format!("{} {problem}", quote(text)));
    if text.len() > BYTES_MAX {
        return Err(invalid(&format!("is longer than {BYTES_MAX} bytes")));
    }
    if let Some(bad) = text.chars().find(|c| !matches!(c, ' '..='~')) {
        return Err(invalid(&format!(
            "holds {bad:?}, and header fields are printable ASCII"
        )));
    }
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix(brace) {
            plain.push_str(brace);
            rest = after;
            continue;
        }
        let name = match (brace, after.split_once('}')) {
            ("{", Some((name, after))) => {
                rest = after;
                name
            }
            ("{", None) => {
                return Err(invalid("has a `{` without `}`").fix("write `{{` for the brace itself"));
            }
            _ => {
                return Err(invalid("has a `}` without `{`").fix("write `}}` for the brace itself"));
            }
        };
        let variable = variable(name).map_err(|hint| {
            invalid(&format!("uses {}, which is no variable", quote(name))).fix(hint)
        })?;
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
        }
        pieces.push(Piece::Variable(variable));
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain.into()));
    }
    Ok(Template { pieces })
}

/// The variable of a name, or what to write instead.
fn variable(name: &str) -> Result<Variable, String> {
    if let Some((_, variable)) = PLAIN.iter().find(|(known, _)| *known == name) {
        return Ok(variable.clone());
    }
    if let [digit @ b'1'..=b'9'] = name.as_bytes() {
        return Ok(Variable::Group(usize::from(digit - b'0')));
    }
    match name.split_once(':') {
        Some(("header", field)) if is_token(field) => {
            return Ok(Variable::Header(field.to_ascii_lowercase().into()));
        }
        Some(("cookie", cookie)) if is_token(cookie) => return Ok(Variable::Cookie(cookie.into())),
        Some(("claim", claim)) if !claim.is_empty() => return Ok(Variable::Claim(claim.into())),
        _ => {}
    }
    let names = || PLAIN.iter().map(|(known, _)| *known);
    Err(match nearest(name, names()) {
        Some(near) => format!("did you mean {{{near}}}?"),
        None => {
            let listed: Vec<String> = names().map(|name| format!("{{{name}}}")).collect();
            format!(
                "there are {}, {{header:NAME}}, {{cookie:NAME}}, {{claim:NAME}} and {{1}} to {{9}}",
                listed.join(", ")
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_variables() {
        let template = parse_template("https://{host}{uri}?{{x}}={header:X-Id}{1}").unwrap();
        let text = |text: &str| Piece::Text(text.into());
        assert_eq!(
            template.pieces,
            [
                text("https://"),
                Piece::Variable(Variable::Host),
                Piece::Variable(Variable::Uri),
                text("?{x}="),
                Piece::Variable(Variable::Header("x-id".into())),
                Piece::Variable(Variable::Group(1)),
            ]
        );
        assert_eq!(parse_template("DENY").unwrap().as_text(), Some("DENY"));
        assert_eq!(parse_template("").unwrap().as_text(), Some(""));
    }

    #[test]
    fn what_is_wrong() {
        let why = |text: &str| parse_template(text).unwrap_err().to_string();
        insta::assert_snapshot!(why("{hots}"), @r#""{hots}" uses "hots", which is no variable; did you mean {host}?"#);
        insta::assert_snapshot!(why("$host {"), @r#""$host {" has a `{` without `}`; write `{{` for the brace itself"#);
        insta::assert_snapshot!(why("a } b"), @r#""a } b" has a `}` without `{`; write `}}` for the brace itself"#);
        insta::assert_snapshot!(why("a\r\nSet-Cookie: x"), @r#""a\r\nSet-Cookie: x" holds '\r', and header fields are printable ASCII"#);
        insta::assert_snapshot!(why("{header:a b}"), @r#""{header:a b}" uses "header:a b", which is no variable; there are {client_ip}, {client_port}, {host}, {port}, {scheme}, {method}, {path}, {query}, {uri}, {rest}, {request_id}, {user}, {tls_version}, {header:NAME}, {cookie:NAME}, {claim:NAME} and {1} to {9}"#);
    }
}

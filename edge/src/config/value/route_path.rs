//! Paths of routes, in the one spelling that requests are compared in.
//!
//! A route that a request can never match, or that means something else than it says, is refused
//! with the spelling that works (RFC 3986 §6.2.2).

use super::{Invalid, quote};

/// A request head is bounded, so a longer path could never be asked for.
const PATH_BYTES_MAX: usize = 1024;

/// Checks a path prefix.
pub(in crate::config) fn check_route_path(text: &str) -> Result<String, Invalid> {
    let invalid = |problem: &str| Invalid::new(format!("{} {problem}", quote(text)));
    if !text.starts_with('/') {
        let fix = match text.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
            None => normalised(text),
        };
        return Err(invalid("does not start with a slash").fix(format!("write {}", quote(&fix))));
    }
    if text.len() > PATH_BYTES_MAX {
        return Err(invalid(&format!("is longer than {PATH_BYTES_MAX} bytes")));
    }
    if let Some(prefix) = text.strip_suffix("/*").or_else(|| text.strip_suffix("/**")) {
        let prefix = if prefix.is_empty() { "/" } else { prefix };
        return Err(invalid("ends in a wildcard").fix(format!(
            "write {}: a route takes everything below it",
            quote(prefix)
        )));
    }
    check_bytes(text, &invalid)?;
    let normal = normalised(text);
    if normal != text {
        return Err(invalid("is not in its normal form").fix(format!("write {}", quote(&normal))));
    }
    Ok(normal)
}

/// Refuses bytes that a path does not have as they are (RFC 3986 §3.3).
fn check_bytes(text: &str, invalid: &dyn Fn(&str) -> Invalid) -> Result<(), Invalid> {
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '?' => return Err(invalid("holds a query").fix("routes look at the path alone")),
            '#' => return Err(invalid("holds a fragment").fix("browsers never send one")),
            '%' => {
                let mut hex = rest.clone();
                let byte = hex.next().zip(hex.next()).and_then(|(high, low)| {
                    Some((high.to_digit(16)? * 16 + low.to_digit(16)?) as u8)
                });
                match byte {
                    None => {
                        return Err(invalid("has a `%` without two hexadecimal digits")
                            .fix("a percent sign itself is written %25"));
                    }
                    Some(b'/') => {
                        return Err(invalid("holds an encoded slash")
                            .fix("servers disagree on what it means"));
                    }
                    Some(0) => return Err(invalid("holds an encoded NUL")),
                    Some(_) => {}
                }
            }
            '/' | ':' | '@' => {}
            other if is_unreserved(other) || "!$&'()*+,;=".contains(other) => {}
            other => {
                let mut utf8 = [0; 4];
                let encoded: String = other
                    .encode_utf8(&mut utf8)
                    .bytes()
                    .map(|byte| format!("%{byte:02X}"))
                    .collect();
                return Err(
                    invalid(&format!("holds {other:?}, which paths carry encoded"))
                        .fix(format!("write it as {encoded}")),
                );
            }
        }
    }
    Ok(())
}

/// Decodes what need not be encoded, then resolves dot segments, empty segments and the slash at
/// the end.
fn normalised(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut pieces = text.split('%');
    decoded.push_str(pieces.next().unwrap_or(""));
    for piece in pieces {
        let (hex, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        match u8::from_str_radix(hex, 16).map(char::from) {
            Ok(plain) if is_unreserved(plain) => decoded.push(plain),
            _ => {
                decoded.push('%');
                decoded.push_str(&hex.to_ascii_uppercase());
            }
        }
        decoded.push_str(rest);
    }
    let mut segments = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// RFC 3986 §2.3.
fn is_unreserved(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_' | '~')
}

#[cfg(test)]
mod tests {
    use super::check_route_path;

    #[test]
    fn paths() {
        for path in [
            "/",
            "/mcp",
            "/a/b.c/d-e_f~g",
            "/a%20b",
            "/a:b@c!$&'()*+,;=",
            "/.well-known",
        ] {
            assert_eq!(check_route_path(path).as_deref(), Ok(path));
        }
    }

    #[test]
    fn what_is_wrong() {
        let why = |text: &str| check_route_path(text).unwrap_err().to_string();
        insta::assert_snapshot!(why("mcp"), @r#""mcp" does not start with a slash; write "/mcp""#);
        insta::assert_snapshot!(why(""), @r#""" does not start with a slash; write "/""#);
        insta::assert_snapshot!(why("https://example.com/mcp"), @r#""https://example.com/mcp" does not start with a slash; write "/mcp""#);
        insta::assert_snapshot!(why("/mcp/"), @r#""/mcp/" is not in its normal form; write "/mcp""#);
        insta::assert_snapshot!(why("/mcp/*"), @r#""/mcp/*" ends in a wildcard; write "/mcp": a route takes everything below it"#);
        insta::assert_snapshot!(why("/*"), @r#""/*" ends in a wildcard; write "/": a route takes everything below it"#);
        insta::assert_snapshot!(why("//mcp"), @r#""//mcp" is not in its normal form; write "/mcp""#);
        insta::assert_snapshot!(why("/a/../b/./c"), @r#""/a/../b/./c" is not in its normal form; write "/b/c""#);
        insta::assert_snapshot!(why("/%6dcp"), @r#""/%6dcp" is not in its normal form; write "/mcp""#);
        insta::assert_snapshot!(why("/%2e%2e/b"), @r#""/%2e%2e/b" is not in its normal form; write "/b""#);
        insta::assert_snapshot!(why("/a%c3%a9"), @r#""/a%c3%a9" is not in its normal form; write "/a%C3%A9""#);
        insta::assert_snapshot!(why("/a%2fb"), @r#""/a%2fb" holds an encoded slash; servers disagree on what it means"#);
        insta::assert_snapshot!(why("/a%00"), @r#""/a%00" holds an encoded NUL"#);
        insta::assert_snapshot!(why("/a%"), @r#""/a%" has a `%` without two hexadecimal digits; a percent sign itself is written %25"#);
        insta::assert_snapshot!(why("/a%zz"), @r#""/a%zz" has a `%` without two hexadecimal digits; a percent sign itself is written %25"#);
        insta::assert_snapshot!(why("/a?b=c"), @r#""/a?b=c" holds a query; routes look at the path alone"#);
        insta::assert_snapshot!(why("/a#b"), @r#""/a#b" holds a fragment; browsers never send one"#);
        insta::assert_snapshot!(why("/a b"), @r#""/a b" holds ' ', which paths carry encoded; write it as %20"#);
        insta::assert_snapshot!(why("/é"), @r#""/é" holds 'é', which paths carry encoded; write it as %C3%A9"#);
    }
}

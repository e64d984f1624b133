//! Regular expressions of nginx, which are PCRE, as ours, which have no look-around.

use std::collections::BTreeMap;

use regex::bytes::RegexBuilder;

/// An expression of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// It takes the same paths.
    Same(String),
    /// It takes them and perhaps more: good for nothing but to keep clients out.
    Wider(String),
}

/// What takes every path.
const EVERYTHING: &str = "^/";

/// The expression of ours for one of nginx.
pub(super) fn expression(regex: &str) -> Expression {
    if works(regex) {
        return Expression::Same(regex.to_owned());
    }
    if let Some(plain) = without_negation(regex).filter(|plain| works(plain)) {
        return Expression::Same(plain);
    }
    let wider = widened(regex);
    Expression::Wider(match works(&wider) {
        true => wider,
        false => EVERYTHING.to_owned(),
    })
}

/// What does not begin with any of these texts. Where it `may_end`, nothing is such a text too.
pub(super) fn none_of(texts: &[&str], may_end: bool) -> String {
    let mut by_first: BTreeMap<char, Vec<&str>> = BTreeMap::new();
    for text in texts {
        let mut chars = text.chars();
        if let Some(first) = chars.next() {
            by_first.entry(first).or_default().push(chars.as_str());
        }
    }
    let firsts: String = by_first.keys().map(|&first| escaped(first)).collect();
    let mut branches = vec![format!("[^{firsts}]")];
    if may_end {
        branches.insert(0, "$".to_owned());
    }
    for (first, rests) in by_first {
        if rests.iter().all(|rest| !rest.is_empty()) {
            branches.push(format!("{}{}", escaped(first), none_of(&rests, true)));
        }
    }
    match &branches[..] {
        [only] => only.clone(),
        branches => format!("(?:{})", branches.join("|")),
    }
}

fn works(regex: &str) -> bool {
    RegexBuilder::new(regex).unicode(false).build().is_ok()
}

fn escaped(c: char) -> String {
    match matches!(c, '-' | '^' | '~' | '&') || regex::escape(&c.to_string()).len() > 1 {
        true => format!("\\{c}"),
        false => c.to_string(),
    }
}

/// `A(?!b|c)` with nothing of weight behind it, the way that most people write it: what follows A does
/// not begin with b or c.
fn without_negation(regex: &str) -> Option<String> {
    let (head, rest) = regex.split_once("(?!")?;
    let (inner, tail) = rest.split_once(')')?;
    if !matches!(tail, "" | ".*" | ".*$") || inner.is_empty() {
        return None;
    }
    // Beside another branch, or inside a group, it would say something else.
    let (mut depth, mut is_class, mut chars) = (0, false, head.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '[' => is_class = true,
            ']' => is_class = false,
            '(' if !is_class => depth += 1,
            ')' if !is_class => depth -= 1,
            '|' if !is_class && depth == 0 => return None,
            _ => {}
        }
    }
    if depth != 0 {
        return None;
    }
    let texts: Option<Vec<String>> = inner.split('|').map(literal).collect();
    let texts = texts?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Some(format!("{head}{}", none_of(&texts, true)))
}

/// The text that an expression stands for, if it is one.
fn literal(regex: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = regex.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c) if c.is_ascii_punctuation() => text.push(c),
                _ => return None,
            },
            '/' | '-' | '_' | '~' | '%' | '@' | ',' | ':' | '=' | '&' => text.push(c),
            c if c.is_ascii_alphanumeric() => text.push(c),
            _ => return None,
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Without everything that only says what must not be, or must be, beside what is taken: each makes an
/// expression take less.
fn widened(regex: &str) -> String {
    let mut out = String::new();
    let mut rest = regex;
    let mut is_class = false;
    while let Some(c) = rest.chars().next() {
        let around = ["(?=", "(?!", "(?<=", "(?<!"];
        match c {
            '\\' => {
                let next = rest[1..].chars().next();
                let len = 1 + next.map_or(0, char::len_utf8);
                match next {
                    Some('1'..='9') => out.push_str(".*"),
                    _ => out.push_str(&rest[..len]),
                }
                rest = &rest[len..];
                continue;
            }
            '[' => is_class = true,
            ']' => is_class = false,
            '(' if !is_class && around.iter().any(|start| rest.starts_with(start)) => {
                rest = behind_group(rest);
                continue;
            }
            '(' if !is_class && rest.starts_with("(?>") => {
                out.push_str("(?:");
                rest = &rest[3..];
                continue;
            }
            // `a++` takes no more than `a+`.
            '+' if !is_class && out.ends_with(['+', '*', '?', '}']) => {
                rest = &rest[1..];
                continue;
            }
            _ => {}
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// What follows the group that a text begins with.
fn behind_group(text: &str) -> &str {
    let (mut depth, mut is_class, mut is_escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => {
                is_escaped = false;
                continue;
            }
            '\\' => is_escaped = true,
            '[' => is_class = true,
            ']' => is_class = false,
            '(' if !is_class => depth += 1,
            ')' if !is_class => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + c.len_utf8()..];
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::bytes::Regex;

    #[test]
    fn what_must_not_follow() {
        for (regex, takes, not) in [
            (
                r"/\.(?!well-known)",
                &["/.git", "/a/.env", "/.", "/.well-knows", "/.w"][..],
                &["/.well-known/acme", "/a.b", "/.well-known"][..],
            ),
            (
                r"(?i)/\.(?!well-known\/|git\/pub).*$",
                &["/.GIT", "/.well-known", "/.git/secret"],
                &["/.Well-Known/x", "/.git/public"],
            ),
            (
                r"^/(?!api|static).*",
                &["/", "/x", "/ap"],
                &["/api", "/static/x"],
            ),
        ] {
            let Expression::Same(ours) = expression(regex) else {
                panic!("{regex}")
            };
            let ours = Regex::new(&ours).expect("it works");
            for path in takes {
                assert!(ours.is_match(path.as_bytes()), "{regex} {path}");
            }
            for path in not {
                assert!(!ours.is_match(path.as_bytes()), "{regex} {path}");
            }
        }
        let names = Regex::new(&format!("^/admin{}", none_of(&["/", "-docs"], false)));
        let names = names.expect("it works");
        for (path, takes) in [
            ("/admin", false),
            ("/admin/x", false),
            ("/admin-docs", false),
            ("/admin-doc", true),
            ("/admin.php", true),
            ("/administrator", true),
        ] {
            assert_eq!(names.is_match(path.as_bytes()), takes, "{path}");
        }
    }

    #[test]
    fn what_takes_more() {
        for (regex, wider) in [
            (r"^/(?!private)/", "^//"),
            (r"^/a(?<!b(c)[)])d", "^/ad"),
            (r"^/(?>a|b)++x", "^/(?:a|b)+x"),
            (r"^/(\w+)/\1$", r"^/(\w+)/.*$"),
            (r"^/a|b(?!c)", "^/a|b"),
            (r"^/(?(1)a|b)", EVERYTHING),
            ("(((", EVERYTHING),
        ] {
            assert_eq!(
                expression(regex),
                Expression::Wider(wider.into()),
                "{regex}"
            );
        }
        let named = r"^/(?<tenant>[a-z]+)/\.git$";
        assert_eq!(expression(named), Expression::Same(named.into()));
    }
}

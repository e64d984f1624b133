//! The request target: a path that means one thing to the router and to the upstream.
//!
//! A proxy that routes by one reading of a path while the upstream serves another lets a request
//! around the guards of a route. So the path is brought to one form (RFC 3986 §6.2.2: percent-coded
//! unreserved characters decoded, dot segments removed) before it is routed, and that same form is
//! what is sent on. A path already in that form, which is nearly every path, is not touched.
//!
//! Servers still differ in what they make of `//`, `;` and an encoded slash: some read `/admin;x`,
//! `//admin` and `/a%2F..%2Fadmin` as `/admin`. Such a path is sent on as it is, but routed by its
//! most generous reading ([`Target::routing_path`]), and refused if that reading hides a `..`.

use super::Authority;

/// A target in origin-form or asterisk-form (RFC 9112 §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    text: Box<str>,
    path_len: usize,
    /// Where it differs from the path itself.
    routing: Option<Box<str>>,
}

/// Why a target was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not one of the forms of RFC 9112 §3.2 that apply.
    #[error("request target has no valid form")]
    Form,
    /// A byte that may not stand in a target: controls, space, non-ASCII, `#`, or `\` in the path.
    #[error("request target contains a forbidden character")]
    Character,
    /// `%` without two hexadecimal digits, or an encoded NUL.
    #[error("request target contains a malformed percent-encoding")]
    Percent,
    /// The authority of an absolute-form target does not parse.
    #[error("request target has an invalid authority")]
    Authority,
}

impl Target {
    /// Parses a target as it came on the wire; with the authority when it is in absolute-form.
    pub fn parse(raw: &[u8]) -> Result<(Target, Option<Authority>), TargetError> {
        if raw == b"*" {
            return Ok((
                Target {
                    text: "*".into(),
                    path_len: 1,
                    routing: None,
                },
                None,
            ));
        }
        if raw.first() == Some(&b'/') {
            return Ok((Target::from_path(raw)?, None));
        }
        let rest = strip_scheme(raw).ok_or(TargetError::Form)?;
        let end = rest
            .iter()
            .position(|&b| b == b'/' || b == b'?')
            .unwrap_or(rest.len());
        let authority = Authority::parse(&rest[..end]).ok_or(TargetError::Authority)?;
        let path = &rest[end..];
        let target = match path.first() {
            Some(b'/') => Target::from_path(path)?,
            _ => Target::from_path(&[b"/", path].concat())?,
        };
        Ok((target, Some(authority)))
    }

    /// Parses a target in origin-form.
    pub fn from_path(raw: &[u8]) -> Result<Target, TargetError> {
        let path_len = memchr::memchr(b'?', raw).unwrap_or(raw.len());
        let (path, query) = raw.split_at(path_len);
        if path.first() != Some(&b'/') {
            return Err(TargetError::Form);
        }
        let visible = |&b: &u8| (0x21..=0x7e).contains(&b) && b != b'#';
        if !path.iter().all(|b| visible(b) && *b != b'\\') || !query.iter().all(visible) {
            return Err(TargetError::Character);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if memchr::memchr(b'%', path).is_none() && memchr::memmem::find(path, b"/.").is_none() {
            return Ok(Target {
                text: text(raw).into(),
                path_len,
                routing: generous_reading(path)?,
            });
        }
        let path = normalise(path)?;
        let path_len = path.len();
        let text = text(&path) + &text(query);
        Ok(Target {
            text: text.into(),
            path_len,
            routing: generous_reading(&path)?,
        })
    }

    /// Path and query, as sent upstream.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        &self.text[..self.path_len]
    }

    /// The path that routes are compared with: without empty segments and `;` parameters, encoded
    /// slashes decoded. Never holds a dot segment.
    pub fn routing_path(&self) -> &str {
        self.routing.as_deref().unwrap_or(self.path())
    }

    /// What follows the `?`, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.text[self.path_len..].strip_prefix('?')
    }

    /// Whether it is `*` (the server as a whole; RFC 9110 §7.1).
    pub fn is_asterisk(&self) -> bool {
        &*self.text == "*"
    }
}

fn strip_scheme(raw: &[u8]) -> Option<&[u8]> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let (head, rest) = raw.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    })
}

fn normalise(path: &[u8]) -> Result<Vec<u8>, TargetError> {
    remove_dot_segments(&decode_unreserved(path)?)
}

fn decode_unreserved(path: &[u8]) -> Result<Vec<u8>, TargetError> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&b, tail)) = rest.split_first() {
        if b != b'%' {
            out.push(b);
            rest = tail;
            continue;
        }
        let (hex, tail) = tail.split_at_checked(2).ok_or(TargetError::Percent)?;
        let digit = |b: u8| (b as char).to_digit(16).ok_or(TargetError::Percent);
        let value = (digit(hex[0])? * 16 + digit(hex[1])?) as u8;
        match value {
            0 => return Err(TargetError::Percent),
            b if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') => out.push(b),
            _ => out.extend_from_slice(&[b'%', hex[0], hex[1]]),
        }
        rest = tail;
    }
    Ok(out)
}

/// How the most generous server would read a path, where that is not as it stands. Refused are dot
/// segments that only such a reading shows.
fn generous_reading(path: &[u8]) -> Result<Option<Box<str>>, TargetError> {
    let plain =
        memchr::memchr2(b';', b'%', path).is_none() && memchr::memmem::find(path, b"//").is_none();
    if plain {
        return Ok(None);
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&b, tail)) = rest.split_first() {
        (decoded, rest) = match (b, tail) {
            // `\` is a slash to servers on Windows and to those that parse URLs as browsers do.
            (b'%', [b'2', b'f' | b'F', tail @ ..] | [b'5', b'c' | b'C', tail @ ..]) => {
                decoded.push(b'/');
                (decoded, tail)
            }
            _ => {
                decoded.push(b);
                (decoded, tail)
            }
        };
    }
    let mut read = String::with_capacity(decoded.len());
    for segment in decoded[1..].split(|&b| b == b'/') {
        let end = memchr::memchr(b';', segment).unwrap_or(segment.len());
        let name = &segment[..end];
        if matches!(name, b"." | b"..") {
            return Err(TargetError::Form);
        }
        if !name.is_empty() {
            read.push('/');
            read.push_str(&String::from_utf8_lossy(name));
        }
    }
    if read.is_empty() || decoded.ends_with(b"/") {
        read.push('/');
    }
    Ok((read.as_bytes() != path).then(|| read.into()))
}

/// RFC 3986 §5.2.4, except that a path that climbs above the root is refused, not clipped.
fn remove_dot_segments(path: &[u8]) -> Result<Vec<u8>, TargetError> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let segments: Vec<&[u8]> = path[1..].split(|&b| b == b'/').collect();
    for (i, segment) in segments.iter().enumerate() {
        let last = i + 1 == segments.len();
        match *segment {
            b"." if last => kept.push(b""),
            b"." => {}
            b".." => {
                kept.pop().ok_or(TargetError::Form)?;
                if last {
                    kept.push(b"");
                }
            }
            segment => kept.push(segment),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in &kept {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str) -> Result<String, TargetError> {
        Target::parse(raw.as_bytes()).map(|(t, _)| t.as_str().to_owned())
    }

    #[test]
    fn equivalent_paths_have_one_form() {
        for (raw, want) in [
            ("/", "/"),
            ("/mcp?a=%zz", "/mcp?a=%zz"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/%6dcp", "/mcp"),
            ("/public/%2e%2E/admin?x=/../y", "/admin?x=/../y"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a//b", "/a//b"),
            ("/.well-known/x", "/.well-known/x"),
            ("*", "*"),
            ("http://h.example/p?q", "/p?q"),
            ("HTTP://h.example", "/"),
            ("https://h?q", "/?q"),
        ] {
            assert_eq!(path(raw).as_deref(), Ok(want), "{raw}");
        }
    }

    #[test]
    fn targets_that_mean_two_things_are_refused() {
        for raw in [
            "",
            "mcp",
            "/../x",
            "/a/../../x",
            "/a b",
            "/a#b",
            "/a\\b",
            "/%",
            "/%4",
            "/%zz",
            "/%00",
            "/\u{e9}",
            "ftp://h/",
            "http:///x",
            "http://u@h/",
            "h:443",
            "/a\u{7f}",
        ] {
            assert!(path(raw).is_err(), "{raw:?}");
        }
    }

    #[test]
    fn routing_reads_a_path_as_the_most_generous_server_would() {
        let routing = |raw: &str| {
            Target::from_path(raw.as_bytes()).map(|target| target.routing_path().to_owned())
        };
        for (raw, want) in [
            ("/admin", "/admin"),
            ("/admin/", "/admin/"),
            ("//admin", "/admin"),
            ("/a//b//", "/a/b/"),
            ("/admin;x=1", "/admin"),
            ("/admin;x=1/users;y", "/admin/users"),
            ("/;/admin", "/admin"),
            ("/%2Fadmin", "/admin"),
            ("/admin%2fusers", "/admin/users"),
            ("/admin%5Cusers", "/admin/users"),
            ("/%61dmin", "/admin"),
            ("/a%20b", "/a%20b"),
            ("//", "/"),
            ("/;x", "/"),
        ] {
            assert_eq!(routing(raw).as_deref(), Ok(want), "{raw}");
        }
        for raw in [
            "/public/..;/admin",
            "/public/..;x=1/admin",
            "/public/..%2fadmin",
            "/public%2f..%2fadmin",
            "/public/%2e%2e%2fadmin",
            "/public/..%5cadmin",
            "/public%5C..%5Cadmin",
            "/a/.;/b",
            "/a%2f.%2fb",
        ] {
            assert!(routing(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn absolute_form_carries_its_authority() {
        let (_, authority) = Target::parse(b"http://H.example:81/p").expect("valid");
        assert_eq!(authority.expect("absolute").as_str(), "h.example:81");
    }
}

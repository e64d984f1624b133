//! Names of virtual hosts: exact, `*.` and one name, or `*`.

use std::net::{IpAddr, Ipv6Addr};

use super::{Invalid, quote};
use crate::config::HostName;

/// RFC 1035 §2.3.4.
const NAME_CHARS_MAX: usize = 253;
/// RFC 1035 §2.3.4.
const LABEL_CHARS_MAX: usize = 63;

/// Parses a host name; letters come out in lower case.
pub(in crate::config) fn parse_host_name(text: &str) -> Result<HostName, Invalid> {
    let invalid = |problem: &str| Invalid::new(format!("{} {problem}", quote(text)));
    if text == "*" {
        return Ok(HostName::Any);
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let rest = rest.split(['/', ':']).next().unwrap_or("");
        return Err(invalid(&format!("starts with {scheme}://"))
            .fix(format!("write the name alone: {}", quote(rest))));
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
        return match (address, bare) {
            (IpAddr::V4(_), Some(_)) => Err(invalid("has brackets around an IPv4 address")),
            (address, _) => Ok(HostName::Exact(address.to_string())),
        };
    }
    if text.contains('/') {
        return Err(invalid("holds a slash").fix("paths belong in [[host.route]]"));
    }
    if let Some((name, port)) = text.rsplit_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        // Also catches `[::1]:443`.
        return Err(invalid("has a port").fix(format!(
            "write the name alone, {}: it is answered on every listening port",
            quote(name)
        )));
    }
    if !text.is_ascii() {
        return Err(invalid("is not ASCII").fix(
            "write its punycode form, which starts with \"xn--\" (the command `idn2` prints it)",
        ));
    }
    if let Some(name) = text.strip_suffix('.') {
        return Err(invalid("ends in a dot").fix(format!("write {}", quote(name))));
    }
    let name = text.to_ascii_lowercase();
    let (wildcard, exact) = match name.strip_prefix("*.") {
        Some(parent) => (true, parent),
        None => (false, name.as_str()),
    };
    if exact.contains('*') {
        return Err(invalid("has a `*` that is not the whole first label").fix(
            "write \"*.example.com\" for one level below a name, or \"*\" for everything else",
        ));
    }
    check_labels(exact).map_err(|problem| invalid(&problem))?;
    Ok(match wildcard {
        true => HostName::Wildcard(exact.to_owned()),
        false => HostName::Exact(exact.to_owned()),
    })
}

/// Letters, digits, hyphens, and the underscore that container networks use (RFC 952, RFC 1123).
fn check_labels(name: &str) -> Result<(), String> {
    if name.len() > NAME_CHARS_MAX {
        return Err(format!("is longer than {NAME_CHARS_MAX} characters"));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err("has an empty label".to_owned());
        }
        if label.len() > LABEL_CHARS_MAX {
            return Err(format!(
                "has a label longer than {LABEL_CHARS_MAX} characters"
            ));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("has a label that starts or ends with a hyphen".to_owned());
        }
        if let Some(wrong) = label
            .chars()
            .find(|letter| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_'))
        {
            return Err(format!("holds {wrong:?}, which no host name has"));
        }
    }
    Ok(())
}

/// As it is written in a file.
impl std::fmt::Display for HostName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HostName::Exact(name) if name.parse::<Ipv6Addr>().is_ok() => write!(f, "[{name}]"),
            HostName::Exact(name) => f.write_str(name),
            HostName::Wildcard(parent) => write!(f, "*.{parent}"),
            HostName::Any => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_host_name;
    use crate::config::HostName;

    #[test]
    fn every_form() {
        let exact = |name: &str| Ok(HostName::Exact(name.to_owned()));
        assert_eq!(parse_host_name("MCP.Example.com"), exact("mcp.example.com"));
        assert_eq!(parse_host_name("localhost"), exact("localhost"));
        assert_eq!(parse_host_name("my_service"), exact("my_service"));
        assert_eq!(parse_host_name("192.0.2.1"), exact("192.0.2.1"));
        assert_eq!(parse_host_name("[2001:DB8::1]"), exact("2001:db8::1"));
        assert_eq!(parse_host_name("::1"), exact("::1"));
        assert_eq!(
            parse_host_name("*.example.com"),
            Ok(HostName::Wildcard("example.com".to_owned()))
        );
        assert_eq!(parse_host_name("*"), Ok(HostName::Any));
    }

    #[test]
    fn is_shown_as_it_is_written() {
        for text in ["*", "*.example.com", "example.com", "[::1]", "192.0.2.1"] {
            assert_eq!(parse_host_name(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong() {
        let why = |text: &str| parse_host_name(text).unwrap_err().to_string();
        insta::assert_snapshot!(why("https://mcp.example.com/mcp"), @r#""https://mcp.example.com/mcp" starts with https://; write the name alone: "mcp.example.com""#);
        insta::assert_snapshot!(why("mcp.example.com:443"), @r#""mcp.example.com:443" has a port; write the name alone, "mcp.example.com": it is answered on every listening port"#);
        insta::assert_snapshot!(why("[::1]:443"), @r#""[::1]:443" has a port; write the name alone, "[::1]": it is answered on every listening port"#);
        insta::assert_snapshot!(why("mcp.example.com/mcp"), @r#""mcp.example.com/mcp" holds a slash; paths belong in [[host.route]]"#);
        insta::assert_snapshot!(why("bücher.example"), @r#""bücher.example" is not ASCII; write its punycode form, which starts with "xn--" (the command `idn2` prints it)"#);
        insta::assert_snapshot!(why("example.com."), @r#""example.com." ends in a dot; write "example.com""#);
        insta::assert_snapshot!(why("mcp.*"), @r#""mcp.*" has a `*` that is not the whole first label; write "*.example.com" for one level below a name, or "*" for everything else"#);
        insta::assert_snapshot!(why("a..b"), @r#""a..b" has an empty label"#);
        insta::assert_snapshot!(why("-a.b"), @r#""-a.b" has a label that starts or ends with a hyphen"#);
        insta::assert_snapshot!(why("a b"), @r#""a b" holds ' ', which no host name has"#);
        insta::assert_snapshot!(why(""), @r#""" has an empty label"#);
        insta::assert_snapshot!(why(&"a".repeat(64)), @r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..." has a label longer than 63 characters"#);
        insta::assert_snapshot!(why(&"a.".repeat(200)), @r#""a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a...." ends in a dot; write "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a....""#);
        insta::assert_snapshot!(why(&["a"; 150].join(".")), @r#""a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a...." is longer than 253 characters"#);
    }
}

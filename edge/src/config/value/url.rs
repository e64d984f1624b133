//! URLs of authorization servers and resources, and scopes.

use super::{Invalid, quote};

/// `https://host[:port][/path]`; `http` for this machine alone, because tokens and keys are secrets
/// of the way.
pub(in crate::config) fn check_url(text: &str) -> Result<String, Invalid> {
    let uri = parse(text, "https://auth.example.com")?;
    match uri.scheme_str() {
        Some("https") => Ok(text.to_owned()),
        Some("http") if uri.host().is_some_and(is_this_machine) => Ok(text.to_owned()),
        _ => Err(Invalid::new(format!("{} is not https", quote(text)))
            .fix("http is for 127.0.0.1 and localhost")),
    }
}

/// Where a collector takes traces, path included; it may stand in another network of one's own.
pub(in crate::config) fn check_collector(text: &str) -> Result<String, Invalid> {
    let uri = parse(text, "http://127.0.0.1:4318/v1/traces")?;
    match (uri.scheme_str(), uri.path()) {
        (Some("http" | "https"), "/") => Err(Invalid::new(format!("{} has no path", quote(text)))
            .fix("collectors take traces under /v1/traces")),
        (Some("http" | "https"), _) => Ok(text.to_owned()),
        _ => Err(Invalid::new(format!(
            "{} is neither http nor https",
            quote(text)
        ))),
    }
}

/// An absolute URL that ends with its path.
fn parse(text: &str, example: &str) -> Result<http::Uri, Invalid> {
    let invalid = |problem: &str| Invalid::new(format!("{} {problem}", quote(text)));
    let uri: http::Uri = text.parse().map_err(|_| invalid("is no URL"))?;
    let host = uri.host().filter(|host| !host.is_empty());
    if host.is_none() || text.contains('@') {
        return Err(invalid("names no host").fix(format!("write one such as {example:?}")));
    }
    match uri.query().is_some() || text.contains('#') {
        true => Err(invalid("goes on after the path")),
        false => Ok(uri),
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// RFC 6749 §3.3.
pub(in crate::config) fn check_scope(text: &str) -> Result<String, Invalid> {
    let is_scope = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    match !text.is_empty() && text.bytes().all(is_scope) {
        // <https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization>
        true if text == "offline_access" => Err(Invalid::new(
            "offline_access is between clients and the authorization server, no resource asks for it",
        )),
        true => Ok(text.to_owned()),
        false => Err(Invalid::new(format!(
            "{} is no scope; write one word such as \"mcp:tools\"",
            quote(text)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_collector, check_scope, check_url};

    #[test]
    fn urls_are_https_or_of_this_machine() {
        for good in [
            "https://as.example",
            "https://as.example:8443/t/1",
            "http://127.0.0.1:9000",
            "http://localhost/x",
            "http://[::1]:1/",
        ] {
            assert_eq!(check_url(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "as.example",
            "http://as.example",
            "https://",
            "https://u@h/",
            "https://h/?q",
            "https://h/#f",
            "ftp://localhost",
            "/x",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn collectors_may_be_anywhere() {
        for good in ["http://10.0.0.7:4318/v1/traces", "https://otel.example/x"] {
            assert_eq!(check_collector(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "otel:4317",
            "http://otel.example",
            "grpc://h/x",
            "http://h/v1/traces?k=1",
        ] {
            assert!(check_collector(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn scopes_are_words() {
        assert_eq!(
            check_scope("mcp:tools/read").as_deref(),
            Ok("mcp:tools/read")
        );
        for bad in ["", "a b", "a\"b", "a\\b", "\u{e9}", "offline_access"] {
            assert!(check_scope(bad).is_err(), "{bad}");
        }
    }
}

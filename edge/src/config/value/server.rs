//! Upstream servers: `"127.0.0.1:8000"`, `"localhost:8000"`, `"http://127.0.0.1:8000"`,
//! `"https://tools.internal"`, `"unix:/run/mcp.sock"`.
//!
//! A name is looked up once the file is read, and again while it is served. Its IPv4 addresses win,
//! because a server on `127.0.0.1` is far more common than one on `::1` where `localhost` names both.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;

use super::{Invalid, check_socket_path, quote};
use crate::config::{UpstreamAddr, UpstreamServer};

/// Addresses of one name that are used.
const ADDRESSES_MAX: usize = 16;

/// Looks a name up; tests pass one that asks nobody.
pub(in crate::config) type Resolve = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Asks the system's resolver.
pub(in crate::config) fn resolve(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((name, port).to_socket_addrs()?.collect())
}

/// Whether a route means a server by `text` rather than the name of an upstream.
pub(in crate::config) fn is_server(text: &str) -> bool {
    text.contains([':', '/'])
}

/// Parses the address of a server; relative socket paths start at `base`. One with a name has no
/// addresses yet.
pub(in crate::config) fn parse_server(text: &str, base: &Path) -> Result<UpstreamServer, Invalid> {
    let invalid = |problem: &str| Invalid::new(format!("{} {problem}", quote(text)));
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return Ok(alone(UpstreamAddr::Unix(check_socket_path(base, path)?)));
    }
    if text.starts_with(['/', '.']) {
        return Err(invalid("is a path").fix(format!(
            "a Unix socket is written {}",
            quote(&format!("unix:{text}"))
        )));
    }
    let (authority, default_port) = match text.split_once("://") {
        Some(("http", authority)) => (authority, Some(80)),
        Some(("https", authority)) => (authority, Some(443)),
        Some((scheme, _)) => {
            return Err(
                invalid(&format!("has the unknown scheme {}", quote(scheme)))
                    .fix("use http://, https:// or unix:"),
            );
        }
        None => (text, None),
    };
    let tls = text.starts_with("https://");
    let (authority, path) = match authority.find(['/', '?', '#']) {
        Some(at) => authority.split_at(at),
        None => (authority, ""),
    };
    if !path.is_empty() {
        let shorter = text.strip_suffix(path).unwrap_or(text);
        return Err(invalid("has a path").fix(format!(
            "requests keep their own path: write {}",
            quote(shorter)
        )));
    }
    if authority.contains('@') {
        return Err(invalid("carries credentials, which edge would not send"));
    }
    let (host, port) = split_port(authority, default_port).ok_or_else(|| {
        invalid("is not an address and port")
            .fix("write \"127.0.0.1:8000\", \"[::1]:8000\" or \"unix:/run/mcp.sock\"")
    })?;
    if let Ok(address) = host.parse::<IpAddr>() {
        if address.is_unspecified() {
            return Err(invalid("is an address to listen on, not to connect to")
                .fix(format!("write \"127.0.0.1:{port}\"")));
        }
        let address = UpstreamAddr::Tcp(SocketAddr::new(address, port));
        return Ok(UpstreamServer {
            tls,
            ..alone(address)
        });
    }
    let name = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if host.is_empty() || !name {
        return Err(invalid("does not name a server"));
    }
    Ok(UpstreamServer {
        name: Some((host.to_owned(), port)),
        addresses: Vec::new(),
        weight: 1,
        backup: false,
        tls,
    })
}

fn alone(address: UpstreamAddr) -> UpstreamServer {
    UpstreamServer {
        name: None,
        addresses: vec![address],
        weight: 1,
        backup: false,
        tls: false,
    }
}

/// The addresses of a name that requests go to: IPv4 where there is any, each once.
pub(crate) fn usable_addresses(found: &[SocketAddr]) -> Vec<UpstreamAddr> {
    let v4 = found.iter().any(SocketAddr::is_ipv4);
    let mut usable: Vec<UpstreamAddr> = Vec::new();
    for address in found.iter().filter(|address| !v4 || address.is_ipv4()) {
        let address = UpstreamAddr::Tcp(*address);
        if usable.len() < ADDRESSES_MAX && !usable.contains(&address) {
            usable.push(address);
        }
    }
    usable
}

/// Splits `host:port`, `[v6]:port` or, with a default, `host`.
fn split_port(authority: &str, default: Option<u16>) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest
            .split_once(']')
            .map(|(host, rest)| (host, rest.strip_prefix(':')))?,
        None => match authority.rsplit_once(':') {
            // An IPv6 address without brackets cannot be told from one with a port.
            Some((host, _)) if host.contains(':') => return None,
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    match port {
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .map(|port| (host, port)),
        None => default.map(|port| (host, port)),
    }
}

/// As it is written in a file.
impl fmt::Display for UpstreamAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpstreamAddr::Tcp(address) => address.fmt(f),
            UpstreamAddr::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Invalid, UpstreamServer, parse_server, usable_addresses};
    use std::net::SocketAddr;
    use std::path::Path;

    fn parse(text: &str) -> Result<UpstreamServer, Invalid> {
        parse_server(text, Path::new("/etc/edge"))
    }

    #[test]
    fn every_form() {
        let shown = |text| parse(text).unwrap().addresses[0].to_string();
        assert_eq!(shown("127.0.0.1:8000"), "127.0.0.1:8000");
        assert_eq!(shown("http://127.0.0.1:8000"), "127.0.0.1:8000");
        assert_eq!(shown("http://192.0.2.1"), "192.0.2.1:80");
        assert_eq!(shown("[::1]:8000"), "[::1]:8000");
        assert_eq!(shown("http://[::1]"), "[::1]:80");
        assert_eq!(shown("unix:/run/mcp.sock"), "unix:/run/mcp.sock");
        assert_eq!(shown("unix:///run/mcp.sock"), "unix:/run/mcp.sock");
        assert_eq!(shown("unix:mcp.sock"), "unix:/etc/edge/mcp.sock");
    }

    #[test]
    fn names_are_kept_and_ipv4_wins() {
        for (text, port) in [("http://six", 80), ("https://six", 443), ("six:8000", 8000)] {
            let server = parse(text).unwrap();
            assert_eq!(server.name, Some(("six".to_owned(), port)));
            assert_eq!(server.addresses, []);
        }
        let usable = |found: &[&str]| {
            let found: Vec<SocketAddr> = found.iter().map(|one| one.parse().unwrap()).collect();
            let usable = usable_addresses(&found);
            usable.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(usable(&["[::1]:80", "127.0.0.1:80"]), ["127.0.0.1:80"]);
        assert_eq!(usable(&["[::1]:80", "[::1]:80"]), ["[::1]:80"]);
    }

    #[test]
    fn what_is_wrong() {
        let why = |text: &str| parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(why("ftp://127.0.0.1"), @r#""ftp://127.0.0.1" has the unknown scheme "ftp"; use http://, https:// or unix:"#);
        insta::assert_snapshot!(why("http://127.0.0.1:8000/"), @r#""http://127.0.0.1:8000/" has a path; requests keep their own path: write "http://127.0.0.1:8000""#);
        insta::assert_snapshot!(why("127.0.0.1:8000/mcp"), @r#""127.0.0.1:8000/mcp" has a path; requests keep their own path: write "127.0.0.1:8000""#);
        insta::assert_snapshot!(why("/run/mcp.sock"), @r#""/run/mcp.sock" is a path; a Unix socket is written "unix:/run/mcp.sock""#);
        insta::assert_snapshot!(why("http://user:pw@127.0.0.1:80"), @r#""http://user:pw@127.0.0.1:80" carries credentials, which edge would not send"#);
        insta::assert_snapshot!(why("127.0.0.1"), @r#""127.0.0.1" is not an address and port; write "127.0.0.1:8000", "[::1]:8000" or "unix:/run/mcp.sock""#);
        insta::assert_snapshot!(why("::1:8000"), @r#""::1:8000" is not an address and port; write "127.0.0.1:8000", "[::1]:8000" or "unix:/run/mcp.sock""#);
        insta::assert_snapshot!(why("127.0.0.1:0"), @r#""127.0.0.1:0" is not an address and port; write "127.0.0.1:8000", "[::1]:8000" or "unix:/run/mcp.sock""#);
        insta::assert_snapshot!(why("127.0.0.1:99999"), @r#""127.0.0.1:99999" is not an address and port; write "127.0.0.1:8000", "[::1]:8000" or "unix:/run/mcp.sock""#);
        insta::assert_snapshot!(why("0.0.0.0:8000"), @r#""0.0.0.0:8000" is an address to listen on, not to connect to; write "127.0.0.1:8000""#);
        insta::assert_snapshot!(why("a b:8000"), @r#""a b:8000" does not name a server"#);
        insta::assert_snapshot!(why("[::1:8000"), @r#""[::1:8000" is not an address and port; write "127.0.0.1:8000", "[::1]:8000" or "unix:/run/mcp.sock""#);
        insta::assert_snapshot!(why("unix:"), @"the path is empty");
        insta::assert_snapshot!(why(""), @r#""" is not an address and port; write "127.0.0.1:8000", "[::1]:8000" or "unix:/run/mcp.sock""#);
    }
}

//! `listen` directives, as listening addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::tree::Directive;
use crate::cidr::Parsed;

/// One `listen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listen {
    pub(super) addr: SocketAddr,
    /// TLS.
    pub(super) secure: bool,
    /// UDP.
    pub(super) quic: bool,
    /// Clients that ask for an unknown host are served by its server.
    pub(super) default: bool,
    /// The client's address comes in a PROXY protocol header.
    pub(super) proxy_protocol: bool,
}

impl Listen {
    /// What nginx does without a `listen`.
    pub(super) fn plain() -> Listen {
        Listen {
            addr: (Ipv4Addr::UNSPECIFIED, 80).into(),
            secure: false,
            quic: false,
            default: false,
            proxy_protocol: false,
        }
    }

    /// Reads a directive; `None` for what cannot be listened on here: Unix sockets and names.
    pub(super) fn parse(directive: &Directive, ssl_on: bool) -> Option<Listen> {
        let has = |flag: &str| directive.args.iter().skip(1).any(|arg| arg == flag);
        Some(Listen {
            addr: addr(directive.arg())?,
            secure: has("ssl") || has("quic") || ssl_on,
            quic: has("quic"),
            default: has("default_server") || has("default"),
            proxy_protocol: has("proxy_protocol"),
        })
    }
}

fn addr(text: &str) -> Option<SocketAddr> {
    if let Ok(port) = text.parse::<u16>() {
        return Some((Ipv4Addr::UNSPECIFIED, port).into());
    }
    if let Some(port) = text.strip_prefix("*:") {
        return Some((Ipv4Addr::UNSPECIFIED, port.parse().ok()?).into());
    }
    if let Some(port) = text.strip_prefix("localhost:") {
        return Some((Ipv4Addr::LOCALHOST, port.parse().ok()?).into());
    }
    if let Ok(addr) = text.parse() {
        return Some(addr);
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().ok().map(|ip| (ip, 80).into())
}

/// Networks that addresses of their own belong to, and nobody else reaches.
const OWN: &[&str] = &[
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
    "fe80::/10",
];
/// Those of them that are the machine itself, which reaches all its addresses.
const LOOPBACK: usize = 2;

/// The networks that reach these addresses, where all of them are such that not everybody does.
pub(super) fn reach(listens: &[Listen]) -> Option<Vec<&'static str>> {
    let mut reach: BTreeSet<usize> = (0..LOOPBACK).collect();
    for listen in listens {
        let holds = |network: &&str| {
            let network: Parsed = network.parse().expect("those above are networks");
            network.cidr.contains(listen.addr.ip())
        };
        reach.insert(OWN.iter().position(holds)?);
    }
    Some(reach.into_iter().map(|at| OWN[at]).collect())
}

/// The addresses of several servers as one list. `[::]` takes IPv4 along, so it stands for both.
pub(super) fn merged(addrs: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let all: BTreeSet<SocketAddr> = addrs.into_iter().collect();
    let any = |port: u16| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let is_covered = |addr: &SocketAddr| {
        let unspecified: SocketAddr = (Ipv4Addr::UNSPECIFIED, addr.port()).into();
        let by_any = *addr != any(addr.port()) && all.contains(&any(addr.port()));
        by_any || (*addr != unspecified && addr.is_ipv4() && all.contains(&unspecified))
    };
    all.iter()
        .filter(|addr| !is_covered(addr))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_nginx_reads_them() {
        for (text, expected) in [
            ("443", Some("0.0.0.0:443")),
            ("*:80", Some("0.0.0.0:80")),
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("192.0.2.1", Some("192.0.2.1:80")),
            ("[::]:443", Some("[::]:443")),
            ("[::1]", Some("[::1]:80")),
            ("unix:/run/x.sock", None),
            ("localhost:80", Some("127.0.0.1:80")),
        ] {
            let expected = expected.map(|text| text.parse().expect("valid"));
            assert_eq!(addr(text), expected, "{text}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_what_it_takes_along() {
        let list = |texts: &[&str]| merged(texts.iter().map(|text| text.parse().expect("valid")));
        let shown = |addrs: Vec<SocketAddr>| -> Vec<String> {
            addrs.iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            shown(list(&["0.0.0.0:443", "[::]:443", "192.0.2.1:443"])),
            ["[::]:443"]
        );
        assert_eq!(
            shown(list(&["0.0.0.0:80", "127.0.0.1:80", "127.0.0.1:81"])),
            ["0.0.0.0:80", "127.0.0.1:81"]
        );
    }
}

//! Who a request comes from, once proxies in front of this one have been asked.
//!
//! A field is worth what the peer that sent it is worth. From a trusted proxy the list of addresses
//! is read from the right, each entry vouched for by the proxy to the right of it; the first one
//! that is no trusted proxy is the client. Whatever stands further left the client may have invented.

use std::net::{IpAddr, SocketAddr};

use super::exchange::Peer;
use super::request_id::RequestId;
use crate::cidr::Cidr;
use crate::config::{ClientField, Forwarding};
use crate::message::{Fields, Name};

/// Entries of a list that are looked at; no chain of proxies is longer.
const HOPS_MAX: usize = 32;
/// Longer IDs are made by nobody for good reasons.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Who asks, and the name of the request.
pub(super) struct Caller {
    /// The client, as far as it is known.
    pub(super) peer: Peer,
    /// The name of the request.
    pub(super) request_id: RequestId,
}

impl Caller {
    /// Finds out who sent a request over the connection to `peer`.
    pub(super) fn of(fields: &Fields, peer: &Peer, forwarding: &Forwarding) -> Caller {
        let mut caller = Caller {
            peer: peer.clone(),
            request_id: RequestId::new(),
        };
        if !is_in(peer.addr.ip(), &forwarding.trusted) {
            return caller;
        }
        let id = fields.values_of("x-request-id").next().and_then(kept_id);
        if let Some(id) = id {
            caller.request_id = id;
        }
        let (addr, proto) = told(fields, forwarding);
        if let Some(addr) = addr {
            caller.peer.addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
            caller.peer.is_direct = false;
        }
        caller.peer.told_scheme = match proto {
            Some(b"https") => Some("https"),
            Some(b"http") => Some("http"),
            _ => None,
        };
        caller
    }
}

/// Whether an address is in one of these networks.
pub(super) fn is_in(ip: IpAddr, networks: &[Cidr]) -> bool {
    networks.iter().any(|network| network.contains(ip))
}

/// An ID that can be repeated in fields and logs.
fn kept_id(id: &[u8]) -> Option<RequestId> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/=:@".contains(b);
    let fits = !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.iter().all(plain);
    fits.then(|| RequestId::kept(id))
}

/// What a trusted proxy says: the client's address, port 0 if it tells none, and the scheme.
fn told<'a>(fields: &'a Fields, forwarding: &Forwarding) -> (Option<SocketAddr>, Option<&'a [u8]>) {
    let proto = last(fields.values(Name::XForwardedProto));
    match forwarding.client_field {
        ClientField::XRealIp => (last(fields.values(Name::XRealIp)).and_then(address), proto),
        ClientField::XForwardedFor => {
            let hops = items(fields.values(Name::XForwardedFor));
            (rightmost(hops.map(address), &forwarding.trusted), proto)
        }
        ClientField::Forwarded => {
            let hops = items(fields.values(Name::Forwarded));
            let clients = hops.map(|hop| parameter(hop, b"for").and_then(address));
            let proto = items(fields.values(Name::Forwarded))
                .next()
                .and_then(|hop| parameter(hop, b"proto"));
            (rightmost(clients, &forwarding.trusted), proto)
        }
    }
}

/// The first hop from the right that is no trusted proxy; the leftmost if all are. An entry that is
/// no address ends the search: nobody vouches for what is left of it.
fn rightmost(
    hops: impl Iterator<Item = Option<SocketAddr>>,
    trusted: &[Cidr],
) -> Option<SocketAddr> {
    let mut client = None;
    for hop in hops.take(HOPS_MAX) {
        let Some(addr) = hop else { break };
        client = Some(addr);
        if !is_in(addr.ip().to_canonical(), trusted) {
            break;
        }
    }
    client
}

/// The items of a list field from the last to the first.
fn items<'a>(values: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    let values: Vec<&[u8]> = values.collect();
    values
        .into_iter()
        .rev()
        .flat_map(|value| value.rsplit(|&b| b == b','))
        .map(<[u8]>::trim_ascii)
}

fn last<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    items(values).next()
}

/// A parameter of one element of `Forwarded`, without its quotes (RFC 7239 §4).
fn parameter<'a>(element: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    element.split(|&b| b == b';').find_map(|pair| {
        let pair = pair.trim_ascii();
        let at = pair.iter().position(|&b| b == b'=')?;
        let (found, value) = (&pair[..at], &pair[at + 1..]);
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let value = value.strip_suffix(b"\"").unwrap_or(value);
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn address(text: &[u8]) -> Option<SocketAddr> {
    let text = str::from_utf8(text).ok()?;
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, 0));
    }
    if let Some(inside) = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        return inside
            .parse()
            .ok()
            .map(|ip| SocketAddr::new(IpAddr::V6(ip), 0));
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cidr::Parsed;

    fn forwarding(client_field: ClientField) -> Forwarding {
        let network = |text: &str| text.parse::<Parsed>().expect("a network").cidr;
        Forwarding {
            trusted: vec![network("10.0.0.0/8"), network("2001:db8::/32")],
            client_field,
            forwarded: false,
            traceparent: false,
        }
    }

    fn caller(from: &str, field: ClientField, fields: &[(&str, &str)]) -> Caller {
        let mut list = Fields::default();
        for (name, value) in fields {
            list.push(name.as_bytes(), value.as_bytes());
        }
        let peer = Peer::new(from.parse().expect("an address"), None);
        Caller::of(&list, &peer, &forwarding(field))
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_client() {
        let xff = |from: &str, values: &[&str]| {
            let fields: Vec<(&str, &str)> = values
                .iter()
                .map(|value| ("X-Forwarded-For", *value))
                .collect();
            let caller = caller(from, ClientField::XForwardedFor, &fields);
            (
                caller.peer.addr.ip().to_canonical().to_string(),
                caller.peer.is_direct,
            )
        };
        let told = |ip: &str| (ip.to_owned(), false);
        let direct = |ip: &str| (ip.to_owned(), true);
        assert_eq!(xff("192.0.2.9:1", &["1.1.1.1"]), direct("192.0.2.9"));
        assert_eq!(xff("10.0.0.1:1", &["1.1.1.1"]), told("1.1.1.1"));
        assert_eq!(xff("10.0.0.1:1", &["6.6.6.6, 1.1.1.1"]), told("1.1.1.1"));
        assert_eq!(
            xff("10.0.0.1:1", &["6.6.6.6", "1.1.1.1,10.9.9.9 , 2001:db8::7"]),
            told("1.1.1.1")
        );
        assert_eq!(xff("10.0.0.1:1", &["10.1.1.1, 10.2.2.2"]), told("10.1.1.1"));
        assert_eq!(
            xff("10.0.0.1:1", &["6.6.6.6, unknown, 10.2.2.2"]),
            told("10.2.2.2")
        );
        assert_eq!(
            xff("10.0.0.1:1", &["1.1.1.1, nonsense"]),
            direct("10.0.0.1")
        );
        assert_eq!(xff("10.0.0.1:1", &[]), direct("10.0.0.1"));
        assert_eq!(
            xff("[::ffff:10.0.0.1]:1", &["::ffff:1.1.1.1"]),
            told("1.1.1.1")
        );
        assert_eq!(xff("10.0.0.1:1", &["[2600::1]:443"]), told("2600::1"));
    }

    #[test]
    fn forwarded_and_x_real_ip() {
        let fields = [(
            "Forwarded",
            "for=6.6.6.6, for=\"[2600::7]:4711\";proto=https;by=x, For=10.0.0.2; proto=http",
        )];
        let caller_of = |fields| caller("10.0.0.1:1", ClientField::Forwarded, fields);
        let first = caller_of(&fields).peer;
        assert_eq!(first.addr.to_string(), "[2600::7]:4711");
        assert_eq!(first.scheme(), "http", "what the nearest proxy saw");
        let hidden = caller_of(&[("Forwarded", "for=_hidden")]).peer;
        assert_eq!(hidden.addr.to_string(), "10.0.0.1:1");
        let real = caller(
            "10.0.0.1:1",
            ClientField::XRealIp,
            &[("X-Real-IP", "1.1.1.1")],
        );
        assert_eq!(real.peer.addr.to_string(), "1.1.1.1:0");
    }

    #[test]
    fn ids_are_kept_from_proxies_that_are_trusted() {
        let id = |from: &str, value: &str| {
            let caller = caller(from, ClientField::XForwardedFor, &[("x-request-id", value)]);
            String::from_utf8(caller.request_id.as_bytes().to_vec()).expect("text")
        };
        assert_eq!(id("10.0.0.1:1", "abc-123"), "abc-123");
        assert_ne!(id("192.0.2.1:1", "abc-123"), "abc-123");
        assert_ne!(id("10.0.0.1:1", "a b"), "a b");
        assert_ne!(id("10.0.0.1:1", &"a".repeat(129)), "a".repeat(129));
    }
}

//! The PROXY protocol: what a proxy in front says of a connection before its first byte.
//!
//! Versions 1 and 2 as a receiver has to read them
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>). Strict: there is one way to write a
//! header, and what is not one ends the connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Of version 1: the longest line, with its end (§2.1).
const LINE_BYTES_MAX: usize = 107;
/// Of version 2, extensions included: senders stay far below.
const HEADER_BYTES_MAX: usize = 4096;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const LINE_START: &[u8] = b"PROXY ";

/// A header that has arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The client; `None` where the proxy speaks for itself, or the client has no address.
    pub client: Option<SocketAddr>,
    /// Bytes of the header.
    pub len: usize,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyHeaderError {
    /// They begin in another way.
    #[error("no PROXY protocol header")]
    Missing,
    /// They begin like one, and go on differently.
    #[error("malformed PROXY protocol header")]
    Malformed,
    /// It is longer than it can be.
    #[error("PROXY protocol header too long")]
    TooLong,
}

/// Reads the header at the start of `bytes`; `None` when more is needed.
pub fn parse_proxy_header(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    if starts_alike(bytes, SIGNATURE) {
        return binary(bytes);
    }
    match starts_alike(bytes, LINE_START) {
        true => line(bytes),
        false => Err(ProxyHeaderError::Missing),
    }
}

/// Whether `bytes` begin like `wanted`, as far as they go.
fn starts_alike(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.iter().zip(wanted).all(|(a, b)| a == b)
}

/// Version 1 (§2.1).
fn line(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    use ProxyHeaderError::{Malformed, TooLong};
    let bytes = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        return match bytes.len() < LINE_BYTES_MAX {
            true => Ok(None),
            false => Err(TooLong),
        };
    };
    let text = bytes[..end].strip_suffix(b"\r").ok_or(Malformed)?;
    let text = str::from_utf8(text).map_err(|_| Malformed)?;
    let mut words = text.split(' ').skip(1);
    let family = words.next().ok_or(Malformed)?;
    let header = |client| {
        Ok(Some(ProxyHeader {
            client,
            len: end + 1,
        }))
    };
    // What follows is to be ignored.
    if family == "UNKNOWN" {
        return header(None);
    }
    let mut address = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, destination) = (address(), address());
    let (from, to) = (words.next().and_then(port), words.next().and_then(port));
    match (source, destination, from, to, words.next()) {
        (Some(source), Some(_), Some(from), Some(_), None) => {
            header(Some(SocketAddr::new(source, from)))
        }
        _ => Err(Malformed),
    }
}

/// Decimal, without zeros in front.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// Version 2 (§2.2).
fn binary(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    use ProxyHeaderError::{Malformed, TooLong};
    // Judged as soon as it is there: a wrong byte is not worth waiting behind.
    let command = bytes.get(12);
    if command.is_some_and(|command| !matches!(command, 0x20 | 0x21)) {
        return Err(Malformed);
    }
    let Some((fixed, rest)) = bytes.split_at_checked(16) else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let len = fixed.len() + length;
    if len > HEADER_BYTES_MAX {
        return Err(TooLong);
    }
    let Some(body) = rest.get(..length) else {
        return Ok(None);
    };
    let port = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let client = match (fixed[12], fixed[13]) {
        // LOCAL: the proxy itself, for a health check. What follows is to be skipped.
        (0x20, _) => None,
        (_, 0x00) => None,
        (_, 0x11) if length >= 12 => {
            let octets: [u8; 4] = body[..4].try_into().expect("four of twelve");
            Some(SocketAddr::new(Ipv4Addr::from(octets).into(), port(8)))
        }
        (_, 0x21) if length >= 36 => {
            let octets: [u8; 16] = body[..16].try_into().expect("sixteen of thirty-six");
            Some(SocketAddr::new(Ipv6Addr::from(octets).into(), port(32)))
        }
        // A Unix socket has no address that limits could count.
        (_, 0x31) if length >= 216 => None,
        _ => return Err(Malformed),
    };
    Ok(Some(ProxyHeader { client, len }))
}

#[cfg(test)]
mod tests {
    use super::ProxyHeaderError::{Malformed, Missing, TooLong};
    use super::*;
    use proptest::prelude::*;

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    /// `192.0.2.7:1000` to `192.0.2.1:443`.
    const TCP4: [u8; 12] = [192, 0, 2, 7, 192, 0, 2, 1, 3, 232, 1, 187];

    fn tcp6() -> Vec<u8> {
        let address = |text: &str| text.parse::<Ipv6Addr>().expect("an address").octets();
        let mut body = address("2001:db8::7").to_vec();
        body.extend(address("2001:db8::1"));
        body.extend([3, 232, 1, 187]);
        body
    }

    #[test]
    fn headers_of_both_versions() {
        let mut extended = TCP4.to_vec();
        extended.extend([4, 0, 3, 1, 2, 3]);
        let extended = v2(0x21, 0x11, &extended);
        let longest = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                       ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
        for (bytes, client) in [
            (
                b"PROXY TCP4 192.0.2.7 192.0.2.1 1000 443\r\n".to_vec(),
                Some("192.0.2.7:1000"),
            ),
            (
                b"PROXY TCP6 2001:db8::7 ::1 0 443\r\n".to_vec(),
                Some("[2001:db8::7]:0"),
            ),
            (
                longest.into(),
                Some("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN what ever\r\n".to_vec(), None),
            (v2(0x21, 0x11, &TCP4), Some("192.0.2.7:1000")),
            (extended, Some("192.0.2.7:1000")),
            (v2(0x21, 0x21, &tcp6()), Some("[2001:db8::7]:1000")),
            (v2(0x21, 0x31, &[0; 216]), None),
            (v2(0x21, 0x00, &[]), None),
            (v2(0x21, 0x00, b"extensions"), None),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &TCP4), None),
        ] {
            let client = client.map(|client| client.parse().expect("an address"));
            let len = bytes.len();
            let whole = Ok(Some(ProxyHeader { client, len }));
            assert_eq!(parse_proxy_header(&bytes), whole, "{bytes:?}");
            for cut in 0..len {
                assert_eq!(
                    parse_proxy_header(&bytes[..cut]),
                    Ok(None),
                    "{cut} of {bytes:?}"
                );
            }
            let followed = [&bytes, &b"GET / HTTP/1.1\r\n"[..]].concat();
            assert_eq!(parse_proxy_header(&followed), whole, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_none() {
        let line = |rest: &str| format!("PROXY {rest}\r\n").into_bytes();
        let mut long = b"PROXY UNKNOWN ".to_vec();
        long.resize(LINE_BYTES_MAX, b'x');
        for (bytes, error) in [
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Missing),
            (b"\x16\x03\x01".to_vec(), Missing),
            (b"PROXYTCP4".to_vec(), Missing),
            (b"proxy TCP4".to_vec(), Missing),
            (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), Missing),
            (line(""), Malformed),
            (line("TCP4"), Malformed),
            (line("TCP5 192.0.2.7 192.0.2.1 1 2"), Malformed),
            (line("tcp4 192.0.2.7 192.0.2.1 1 2"), Malformed),
            (line("TCP4 192.0.2.7 192.0.2.1 1"), Malformed),
            (line("TCP4 192.0.2.7 192.0.2.1 1 2 3"), Malformed),
            (line("TCP4  192.0.2.7 192.0.2.1 1 2"), Malformed),
            (line("TCP4 192.0.2.7\t192.0.2.1 1 2"), Malformed),
            (line("TCP4 192.0.2.07 192.0.2.1 1 2"), Malformed),
            (line("TCP4 2001:db8::7 ::1 1 2"), Malformed),
            (line("TCP6 192.0.2.7 192.0.2.1 1 2"), Malformed),
            (line("TCP6 [::1] ::1 1 2"), Malformed),
            (line("TCP6 fe80::1%eth0 ::1 1 2"), Malformed),
            (line("TCP4 192.0.2.7 192.0.2.1 65536 2"), Malformed),
            (line("TCP4 192.0.2.7 192.0.2.1 -1 2"), Malformed),
            (line("TCP4 192.0.2.7 192.0.2.1 +1 2"), Malformed),
            (line("TCP4 192.0.2.7 192.0.2.1 01 2"), Malformed),
            (line("TCP4 192.0.2.7 192.0.2.1 1 2 "), Malformed),
            (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n".to_vec(), Malformed),
            (b"PROXY TCP4 \xff\r\n".to_vec(), Malformed),
            (long, TooLong),
            (v2(0x11, 0x11, &TCP4), Malformed),
            (v2(0x22, 0x11, &TCP4), Malformed),
            (v2(0x21, 0x12, &TCP4), Malformed),
            (v2(0x21, 0x41, &TCP4), Malformed),
            (v2(0x21, 0x11, &TCP4[..11]), Malformed),
            (v2(0x21, 0x21, &TCP4), Malformed),
            (v2(0x21, 0x31, &[0; 215]), Malformed),
            (v2(0x20, 0x00, &[0; 4081]), TooLong),
        ] {
            assert_eq!(parse_proxy_header(&bytes), Err(error), "{bytes:?}");
        }
        // A wrong version is seen before the rest has come.
        assert_eq!(parse_proxy_header(&v2(0x31, 0, &[])[..13]), Err(Malformed));
    }

    proptest! {
        /// Whatever comes, in whatever pieces: no panic, no more than the bound asked for, and the
        /// same verdict however much follows.
        #[test]
        fn any_bytes_are_judged_alike_in_pieces(
            start in prop_oneof![Just(&b"PROXY "[..]), Just(&SIGNATURE[..]), Just(&b""[..])],
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [start, &rest].concat();
            let whole = parse_proxy_header(&bytes);
            if let Ok(Some(header)) = whole {
                prop_assert!(header.len <= bytes.len() && header.len <= HEADER_BYTES_MAX);
            }
            for cut in 0..bytes.len() {
                match parse_proxy_header(&bytes[..cut]) {
                    Ok(None) => {}
                    early => prop_assert_eq!(early, whole),
                }
            }
        }

        /// What a sender writes is what is read.
        #[test]
        fn addresses_survive(v4 in any::<[u8; 4]>(), v6 in any::<[u8; 16]>(), port in any::<u16>()) {
            for ip in [IpAddr::from(v4), IpAddr::from(v6)] {
                let family = if ip.is_ipv4() { "TCP4" } else { "TCP6" };
                let text = format!("PROXY {family} {ip} {ip} {port} {port}\r\n");
                let header = parse_proxy_header(text.as_bytes());
                let client = Some(SocketAddr::new(ip, port));
                prop_assert_eq!(header, Ok(Some(ProxyHeader { client, len: text.len() })));
            }
        }
    }
}

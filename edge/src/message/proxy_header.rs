//! The PROXY protocol as a sender writes it, for servers that read it in front of every connection
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).
//!
//! Of the two addresses the header has room for only the client's is told: which of the edge's own
//! it came to says nothing to a server behind it.

use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut as _, BytesMut};

/// Which form the header has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2 and the command: LOCAL, for connections that are the sender's own (§2.2).
const LOCAL: u8 = 0x20;
/// PROXY: for somebody else.
const PROXY: u8 = 0x21;

/// Appends a header for `client`; `None` for a connection of the edge's own.
pub fn write_proxy_header(version: ProxyVersion, client: Option<SocketAddr>, out: &mut BytesMut) {
    let client = client.map(|client| (client.ip().to_canonical(), client.port()));
    match version {
        ProxyVersion::V1 => {
            let line = match client {
                Some((IpAddr::V4(ip), port)) => format!("PROXY TCP4 {ip} 0.0.0.0 {port} 0\r\n"),
                Some((IpAddr::V6(ip), port)) => format!("PROXY TCP6 {ip} :: {port} 0\r\n"),
                None => "PROXY UNKNOWN\r\n".to_owned(),
            };
            out.extend_from_slice(line.as_bytes());
        }
        ProxyVersion::V2 => {
            out.extend_from_slice(SIGNATURE);
            match client {
                Some((IpAddr::V4(ip), port)) => {
                    out.extend_from_slice(&[PROXY, 0x11]);
                    out.put_u16(12);
                    out.extend_from_slice(&ip.octets());
                    out.put_u32(0);
                    out.put_u16(port);
                    out.put_u16(0);
                }
                Some((IpAddr::V6(ip), port)) => {
                    out.extend_from_slice(&[PROXY, 0x21]);
                    out.put_u16(36);
                    out.extend_from_slice(&ip.octets());
                    out.put_u128(0);
                    out.put_u16(port);
                    out.put_u16(0);
                }
                None => out.extend_from_slice(&[LOCAL, 0, 0, 0]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::parse_proxy_header;

    #[test]
    fn what_is_written_is_read_again() {
        for version in [ProxyVersion::V1, ProxyVersion::V2] {
            for (client, read) in [
                (Some("192.0.2.7:4711"), Some("192.0.2.7:4711")),
                (Some("[::ffff:192.0.2.7]:1"), Some("192.0.2.7:1")),
                (Some("[2001:db8::7]:65535"), Some("[2001:db8::7]:65535")),
                (None, None),
            ] {
                let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
                let mut out = BytesMut::new();
                write_proxy_header(version, client.map(address), &mut out);
                let header = parse_proxy_header(&out).expect("valid").expect("whole");
                assert_eq!(header.len, out.len(), "{version:?} {client:?}");
                assert_eq!(header.client, read.map(address), "{version:?} {client:?}");
            }
        }
    }
}

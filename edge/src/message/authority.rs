//! The host a request is for: `host[:port]` (RFC 9110 §7.2, RFC 3986 §3.2).

/// A validated authority, in lower case, with the port as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Authority {
    text: Box<str>,
    host_len: usize,
}

impl Authority {
    /// Parses `host`, `host:port`, `1.2.3.4:port` or `[v6]:port`. User information, empty hosts and
    /// characters outside the grammar are refused.
    pub fn parse(bytes: &[u8]) -> Option<Authority> {
        // 255 is the longest DNS name; brackets, zone-less IPv6 and a port fit well below.
        if bytes.is_empty() || bytes.len() > 300 {
            return None;
        }
        let host_len = if bytes[0] == b'[' {
            let end = bytes.iter().position(|&b| b == b']')?;
            let inside = std::str::from_utf8(&bytes[1..end]).ok()?;
            inside.parse::<std::net::Ipv6Addr>().ok()?;
            end + 1
        } else {
            let end = bytes.iter().position(|&b| b == b':').unwrap_or(bytes.len());
            let host = &bytes[..end];
            // A name has no empty labels; what a server makes of one is anyone's guess.
            let empty_label = host.starts_with(b".") || host.windows(2).any(|pair| pair == b"..");
            if end == 0 || empty_label || !host.iter().all(|&b| is_reg_name(b)) {
                return None;
            }
            end
        };
        match &bytes[host_len..] {
            [] => {}
            [b':', port @ ..] => {
                if port.len() > 5 || !port.iter().all(u8::is_ascii_digit) {
                    return None;
                }
                if !port.is_empty() && parse_port(port) > u32::from(u16::MAX) {
                    return None;
                }
            }
            _ => return None,
        }
        let text = std::str::from_utf8(bytes).ok()?.to_ascii_lowercase();
        Some(Authority {
            text: text.into(),
            host_len,
        })
    }

    /// The whole authority, port included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host without port, without the brackets of an IPv6 address and without a trailing dot.
    pub fn host(&self) -> &str {
        let host = &self.text[..self.host_len];
        match host.strip_prefix('[') {
            Some(v6) => v6.strip_suffix(']').unwrap_or(v6),
            None => host.strip_suffix('.').unwrap_or(host),
        }
    }

    /// The port as it was sent; empty without one.
    pub fn port(&self) -> &str {
        self.text[self.host_len..].trim_start_matches(':')
    }

    /// The host as it stands in a URL: with the brackets of an IPv6 address.
    pub fn url_host(&self) -> &str {
        &self.text[..self.host_len]
    }
}

fn parse_port(digits: &[u8]) -> u32 {
    digits
        .iter()
        .fold(0, |port, &d| port * 10 + u32::from(d - b'0'))
}

/// Unreserved and sub-delims of RFC 3986 less what no host name holds and what is dangerous in
/// logs and headers; `_` is common in container names.
fn is_reg_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::Authority;

    #[test]
    fn good_and_bad_authorities() {
        for (text, host) in [
            ("example.com", "example.com"),
            ("Example.COM:8443", "example.com"),
            ("example.com.", "example.com"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:443", "::1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("h:", "h"),
        ] {
            let parsed = Authority::parse(text.as_bytes()).expect(text);
            assert_eq!(parsed.host(), host, "{text}");
        }
        for text in [
            "", ":80", "a b", "a@b", "a/b", "a:b", "a:99999", "a:123456", "[::1", "[zz]", "::1",
            "a,b", "a\tb", "h\u{e9}", "a?b", "a:80:80", "[::1]x", ".", "..", ".a", "a..b",
        ] {
            assert!(Authority::parse(text.as_bytes()).is_none(), "{text:?}");
        }
    }
}

//! A network as people write it.

use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

use super::Cidr;

/// A network that was written, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The network.
    pub cidr: Cidr,
    /// It was written with bits beyond its prefix, as `10.1.2.3/8`: perhaps one address was meant.
    pub has_host_bits: bool,
}

/// Why text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CidrError {
    /// Neither an address nor one with a prefix length.
    #[error("not an address or a network; write one such as 203.0.113.0/24 or 2001:db8::/32")]
    Form,
    /// The prefix length is none, or longer than the address.
    #[error("the prefix length is not a number from 0 to {most}")]
    Prefix {
        /// The most there can be.
        most: u8,
    },
}

impl FromStr for Parsed {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Parsed, CidrError> {
        let (addr, prefix) = match text.split_once('/') {
            Some((addr, prefix)) => (addr, Some(prefix)),
            None => (text, None),
        };
        let addr: IpAddr = addr.parse().map_err(|_| CidrError::Form)?;
        let Some(prefix) = prefix else {
            return Ok(Parsed {
                cidr: Cidr::of(addr),
                has_host_bits: false,
            });
        };
        let most = if addr.is_ipv4() { 32 } else { 128 };
        let wrong = CidrError::Prefix { most };
        // `parse` takes a plus sign as well.
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong);
        }
        let prefix: u8 = prefix.parse().map_err(|_| wrong)?;
        let cidr = Cidr::new(addr, prefix).ok_or(wrong)?;
        let has_host_bits = cidr.addr() != addr && cidr.addr() != addr.to_canonical();
        Ok(Parsed {
            cidr,
            has_host_bits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beyond_the_prefix_are_noticed() {
        for (text, expected) in [
            ("10.0.0.0/8", false),
            ("10.1.2.3/8", true),
            ("10.1.2.3/32", false),
            ("10.1.2.3", false),
            ("2001:db8::/32", false),
            ("2001:db8::1/32", true),
            ("::ffff:10.0.0.0/104", false),
            ("::ffff:10.0.0.1/104", true),
        ] {
            let parsed: Parsed = text.parse().unwrap();
            assert_eq!(parsed.has_host_bits, expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        let form = Err(CidrError::Form);
        let prefix = |most| Err(CidrError::Prefix { most });
        for (text, error) in [
            ("", form),
            ("example.com", form),
            ("10.0.0/8", form),
            ("10.0.0.0.0/8", form),
            ("010.0.0.0/8", form),
            (" 10.0.0.0/8", form),
            ("10.0.0.0-10.0.0.9", form),
            ("[::1]/128", form),
            ("fe80::1%eth0", form),
            ("/8", form),
            ("10.0.0.0/", prefix(32)),
            ("10.0.0.0/33", prefix(32)),
            ("10.0.0.0/+8", prefix(32)),
            ("10.0.0.0/-1", prefix(32)),
            ("10.0.0.0/8/8", prefix(32)),
            ("10.0.0.0/255.0.0.0", prefix(32)),
            ("10.0.0.0/99999999999", prefix(32)),
            ("::/129", prefix(128)),
        ] {
            let parsed = text.parse::<Parsed>().map(|parsed| parsed.cidr);
            assert_eq!(parsed, error, "{text}");
        }
    }
}

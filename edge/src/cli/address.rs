//! Addresses on the command line.

use std::net::IpAddr;

/// Parses one address. An IPv4 address inside an IPv6 one is the IPv4 address, as it is for the
/// kernel program.
pub(super) fn parse(text: &str) -> Result<IpAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_canonical()),
        Err(_) if text.contains('/') => {
            Err("bans are for single addresses (IPv6: the configured prefix around one)".to_owned())
        }
        Err(_) => Err("write an address, such as 203.0.113.7 or 2001:db8::7".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn mapped_addresses_are_ipv4() {
        assert_eq!(parse("::ffff:203.0.113.7"), parse("203.0.113.7"));
        assert_eq!(parse("2001:db8::7"), Ok("2001:db8::7".parse().unwrap()));
    }
}

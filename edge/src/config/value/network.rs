//! Networks: `"10.0.0.0/8"`, or an address alone.

use super::{Invalid, quote};
use crate::cidr::{Cidr, Parsed};

/// Parses a network; one with bits beyond its prefix is hardly meant.
pub(in crate::config) fn parse_cidr(text: &str) -> Result<Cidr, Invalid> {
    match text.parse::<Parsed>() {
        Ok(parsed) if parsed.cidr.addr() == written_address(text, parsed.cidr) => Ok(parsed.cidr),
        Ok(parsed) => Err(
            Invalid::new(format!("{} has bits beyond its prefix", quote(text)))
                .fix(format!("write \"{}\"", parsed.cidr)),
        ),
        Err(error) => Err(
            Invalid::new(format!("{} is not a network: {error}", quote(text)))
                .fix("write \"10.0.0.0/8\" or an address"),
        ),
    }
}

/// The address in front of the slash, in its canonical form.
fn written_address(text: &str, cidr: Cidr) -> std::net::IpAddr {
    let address = text.split('/').next().unwrap_or_default();
    address
        .parse::<std::net::IpAddr>()
        .map_or(cidr.addr(), |address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::parse_cidr;

    #[test]
    fn networks() {
        let shown = |text| parse_cidr(text).unwrap().to_string();
        assert_eq!(shown("10.0.0.0/8"), "10.0.0.0/8");
        assert_eq!(shown("192.0.2.1"), "192.0.2.1/32");
        assert_eq!(shown("2001:db8::/32"), "2001:db8::/32");
        let why = |text| parse_cidr(text).unwrap_err().to_string();
        assert_eq!(
            why("10.1.0.0/8"),
            "\"10.1.0.0/8\" has bits beyond its prefix; write \"10.0.0.0/8\""
        );
        for text in ["", "10.0.0.0/33", "localhost", "10.0.0/8"] {
            assert!(why(text).contains("is not a network"), "{text}");
        }
    }
}

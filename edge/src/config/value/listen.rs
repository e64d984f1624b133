//! Listening addresses: an IP address and a port, as `"[::]:443"` or `"127.0.0.1:8080"`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{Invalid, quote};

/// Parses an address to listen on.
pub(in crate::config) fn parse_listen(text: &str) -> Result<SocketAddr, Invalid> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => Err(Invalid::new(format!(
            "{} has port 0, which would be another port at each start",
            quote(text)
        ))
        .fix("write a port from 1 to 65535")),
        Ok(address) => Ok(address),
        Err(_) => Err(explain(text)),
    }
}

/// Says how to write what other servers take.
fn explain(text: &str) -> Invalid {
    let invalid = Invalid::new(format!("{} is not an address and port", quote(text)));
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let every = "for every IPv6 and IPv4 address, or \"0.0.0.0:";
    if let Some(port) = text
        .strip_prefix(":::")
        .or_else(|| text.strip_prefix(':'))
        .or_else(|| text.strip_prefix("*:"))
        .or(Some(text))
        .and_then(port)
    {
        return invalid.fix(format!(
            "write \"[::]:{port}\" {every}{port}\" for IPv4 alone"
        ));
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return match address {
            IpAddr::V4(address) => invalid.fix(format!("add the port: \"{address}:443\"")),
            IpAddr::V6(address) => invalid.fix(format!(
                "an IPv6 address stands in brackets and a port follows: {}",
                bracketed(text, address)
            )),
        };
    }
    match text.rsplit_once(':') {
        Some((name, number)) if port(number).is_some() && !name.contains('/') => {
            invalid.fix(format!(
                "names are not looked up here: write the address, such as \"127.0.0.1:{number}\""
            ))
        }
        _ => invalid.fix("write it as \"[::]:443\" or \"127.0.0.1:8080\""),
    }
}

/// `::1:443` is an address without a port to a parser, and an address with one to its writer.
fn bracketed(text: &str, whole: Ipv6Addr) -> String {
    let split = text.rsplit_once(':').and_then(|(address, port)| {
        let address: Ipv6Addr = address.parse().ok()?;
        let port: u16 = port.parse().ok()?;
        Some(format!("\"[{address}]:{port}\""))
    });
    split.unwrap_or_else(|| format!("\"[{whole}]:443\""))
}

#[cfg(test)]
mod tests {
    use super::parse_listen;

    #[test]
    fn addresses() {
        assert_eq!(parse_listen("[::]:443"), Ok("[::]:443".parse().unwrap()));
        assert_eq!(
            parse_listen("127.0.0.1:8080"),
            Ok("127.0.0.1:8080".parse().unwrap())
        );
    }

    #[test]
    fn what_is_wrong() {
        let why = |text| parse_listen(text).unwrap_err().to_string();
        insta::assert_snapshot!(why(":443"), @r#"":443" is not an address and port; write "[::]:443" for every IPv6 and IPv4 address, or "0.0.0.0:443" for IPv4 alone"#);
        insta::assert_snapshot!(why("*:80"), @r#""*:80" is not an address and port; write "[::]:80" for every IPv6 and IPv4 address, or "0.0.0.0:80" for IPv4 alone"#);
        insta::assert_snapshot!(why("443"), @r#""443" is not an address and port; write "[::]:443" for every IPv6 and IPv4 address, or "0.0.0.0:443" for IPv4 alone"#);
        insta::assert_snapshot!(why("0.0.0.0"), @r#""0.0.0.0" is not an address and port; add the port: "0.0.0.0:443""#);
        insta::assert_snapshot!(why("::1"), @r#""::1" is not an address and port; an IPv6 address stands in brackets and a port follows: "[::1]:443""#);
        insta::assert_snapshot!(why("::1:443"), @r#""::1:443" is not an address and port; an IPv6 address stands in brackets and a port follows: "[::1]:443""#);
        insta::assert_snapshot!(why(":::443"), @r#"":::443" is not an address and port; write "[::]:443" for every IPv6 and IPv4 address, or "0.0.0.0:443" for IPv4 alone"#);
        insta::assert_snapshot!(why("localhost:443"), @r#""localhost:443" is not an address and port; names are not looked up here: write the address, such as "127.0.0.1:443""#);
        insta::assert_snapshot!(why("0.0.0.0:0"), @r#""0.0.0.0:0" has port 0, which would be another port at each start; write a port from 1 to 65535"#);
        insta::assert_snapshot!(why("0.0.0.0:70000"), @r#""0.0.0.0:70000" is not an address and port; write it as "[::]:443" or "127.0.0.1:8080""#);
        insta::assert_snapshot!(why("https://0.0.0.0:443"), @r#""https://0.0.0.0:443" is not an address and port; write it as "[::]:443" or "127.0.0.1:8080""#);
        insta::assert_snapshot!(why(""), @r#""" is not an address and port; write it as "[::]:443" or "127.0.0.1:8080""#);
    }
}

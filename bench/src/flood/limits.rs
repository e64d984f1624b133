//! What a flood may not do.

use std::net::IpAddr;

use thiserror::Error;

/// The longest a flood may last.
pub const SECONDS_MAX: u64 = 300;

/// Why a flood was not sent, or not to its end.
#[derive(Debug, Error)]
pub enum FloodError {
    /// The destination could be somebody's.
    #[error("{0} is not an address of a private or test network: floods go nowhere else")]
    PublicDestination(IpAddr),
    /// Sources would run out of the network they are taken from.
    #[error("{0} sources are more than the {1} there are")]
    TooManySources(u32, u32),
    /// No such interface, or it has no Ethernet address.
    #[error("there is no Ethernet interface `{0}` in this network namespace")]
    NoInterface(String),
    /// The kernel refused.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: nix::Error,
    },
}

/// Whether packets to this address can only reach the sender's own networks.
pub(super) fn is_ours(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // RFC 2544 measures in 198.18.0.0/15.
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || (a == 198 && b & 0xfe == 18)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_and_test_networks_are_flooded() {
        let ours = [
            "10.1.2.3",
            "192.168.7.1",
            "172.16.0.1",
            "127.0.0.1",
            "198.19.0.1",
            "fd00::1",
            "fe80::1",
            "::1",
        ];
        for addr in ours {
            assert!(is_ours(addr.parse().unwrap()), "{addr}");
        }
        let others = [
            "1.1.1.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1",
            "2001:db8::1",
            "255.255.255.255",
        ];
        for addr in others {
            assert!(!is_ours(addr.parse().unwrap()), "{addr}");
        }
    }
}

//! Addresses that nobody shuts out by mistake: this machine's own, its way out, and the operator's.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;

use crate::clock::monotonic_ns;
use crate::limit::Spared;

/// How long what was read of the system is taken for true.
const FRESH_NS: u64 = 1_000_000_000;

/// What the system says, as of a moment ago.
#[derive(Debug, Default)]
pub(super) struct Protected {
    own: Vec<IpAddr>,
    gateways: Vec<IpAddr>,
    read_ns: Option<u64>,
    /// Where workers find those that commit no offences.
    spared: Spared,
}

impl Protected {
    /// Tells workers of what is found.
    pub(super) fn new(spared: Spared) -> Protected {
        let mut protected = Protected {
            spared,
            ..Protected::default()
        };
        protected.look(monotonic_ns());
        protected
    }

    /// Looks anew, because something may have changed.
    pub(super) fn look(&mut self, now_ns: u64) {
        (self.own, self.gateways) = (own_addresses(), gateways());
        self.read_ns = Some(now_ns);
        self.spared.set([&*self.own, &*self.gateways].concat());
    }

    /// Why a network must stay reachable, if it must: what of it is whose. `operator` is where the
    /// command comes from.
    pub(super) fn why(
        &mut self,
        network: (IpAddr, u8),
        operator: Option<IpAddr>,
        now_ns: u64,
    ) -> Option<String> {
        self.read(now_ns);
        let holds = |addr: &&IpAddr| contains(network, **addr);
        let operator = operator.map(|addr| addr.to_canonical());
        if let Some(addr) = operator.as_ref().filter(holds) {
            return Some(format!("{addr} is where you are logged in from"));
        }
        if is_loopback(network) {
            return Some("it is this machine's loopback".to_owned());
        }
        if let Some(addr) = self.own.iter().find(holds) {
            return Some(format!("{addr} is an address of this machine"));
        }
        let gateway = self.gateways.iter().find(holds)?;
        Some(format!("{gateway} is this machine's default gateway"))
    }
}

impl Protected {
    /// This machine's addresses that others can reach, and its gateways.
    pub(super) fn addresses(&mut self, now_ns: u64) -> Vec<IpAddr> {
        self.read(now_ns);
        let all = self.own.iter().chain(&self.gateways);
        all.copied().filter(|addr| !addr.is_loopback()).collect()
    }

    fn read(&mut self, now_ns: u64) {
        let is_fresh = |read_ns| now_ns.saturating_sub(read_ns) <= FRESH_NS;
        if !self.read_ns.is_some_and(is_fresh) {
            self.look(now_ns);
        }
    }
}

/// Whether a network has an address in it.
fn contains((network, prefix): (IpAddr, u8), addr: IpAddr) -> bool {
    match (network.to_canonical(), addr.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(addr)) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(prefix.min(32)))
                .unwrap_or(0);
            network.to_bits() & mask == addr.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(addr)) => {
            let mask = u128::MAX
                .checked_shl(128 - u32::from(prefix.min(128)))
                .unwrap_or(0);
            network.to_bits() & mask == addr.to_bits() & mask
        }
        _ => false,
    }
}

fn is_loopback(network: (IpAddr, u8)) -> bool {
    contains(network, Ipv4Addr::LOCALHOST.into())
        || contains(network, Ipv6Addr::LOCALHOST.into())
        || network.0.to_canonical().is_loopback()
}

/// Why no packet can come from an address, if none can (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2 and §2.7). A
/// ban of it is a mistake, and of `::` would be one of its whole prefix.
pub(super) fn never_sends(addr: IpAddr) -> Option<&'static str> {
    let addr = addr.to_canonical();
    if addr.is_unspecified() {
        Some("it stands for no address, and no packet comes from it")
    } else if addr.is_multicast() {
        Some("it is a multicast group, and no packet comes from it")
    } else if addr == Ipv4Addr::BROADCAST {
        Some("it is the broadcast address, and no packet comes from it")
    } else {
        None
    }
}

fn own_addresses() -> Vec<IpAddr> {
    let interfaces = getifaddrs().into_iter().flatten();
    interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|addr| IpAddr::V4(addr.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|addr| IpAddr::V6(addr.ip())))
        })
        .collect()
}

fn gateways() -> Vec<IpAddr> {
    let read =
        |name| fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
    let v4 = read("route");
    let v6 = read("ipv6_route");
    v4.lines()
        .filter_map(gateway_v4)
        .chain(v6.lines().filter_map(gateway_v6))
        .collect()
}

/// `/proc/net/route`: interface, destination, gateway, ...; the numbers in the machine's order.
fn gateway_v4(line: &str) -> Option<IpAddr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, "00000000", gateway, ..] = fields[..] else {
        return None;
    };
    let octets = u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes();
    (octets != [0; 4]).then(|| Ipv4Addr::from(octets).into())
}

/// `/proc/net/ipv6_route`: destination, its prefix, source, its prefix, next hop, ...
fn gateway_v6(line: &str) -> Option<IpAddr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, "00", _, _, gateway, ..] = fields[..] else {
        return None;
    };
    let bits = u128::from_str_radix(gateway, 16).ok()?;
    (bits != 0).then(|| Ipv6Addr::from_bits(bits).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> (IpAddr, u8) {
        let (addr, prefix) = text.split_once('/').expect("a prefix");
        (
            addr.parse().expect("an address"),
            prefix.parse().expect("a number"),
        )
    }

    #[test]
    fn what_is_ours_is_protected_and_what_covers_it_too() {
        let addr = |text: &str| text.parse::<IpAddr>().expect("an address");
        let mut protected = Protected {
            own: vec![addr("192.0.2.10"), addr("2001:db8::10")],
            gateways: vec![addr("192.0.2.1"), addr("fe80::1")],
            read_ns: Some(0),
            spared: Spared::default(),
        };
        let mut why = |text, ssh: Option<&str>| protected.why(network(text), ssh.map(addr), 1);
        for (text, whose) in [
            ("192.0.2.10/32", Some("an address of this machine")),
            ("192.0.2.0/24", Some("an address of this machine")),
            ("0.0.0.0/0", Some("loopback")),
            ("127.0.0.5/32", Some("loopback")),
            ("::1/128", Some("loopback")),
            ("192.0.2.1/32", Some("default gateway")),
            ("::ffff:192.0.2.1/32", Some("default gateway")),
            ("fe80::/64", Some("default gateway")),
            ("2001:db8::/64", Some("an address of this machine")),
            ("192.0.2.9/32", None),
            ("2001:db8:0:1::/64", None),
            ("198.51.100.0/24", None),
        ] {
            let found = why(text, None);
            match whose {
                Some(whose) => assert!(found.expect(text).contains(whose), "{text}"),
                None => assert_eq!(found, None, "{text}"),
            }
        }
        assert!(why("198.51.100.0/24", Some("::ffff:198.51.100.9")).is_some());
        assert!(why("198.51.100.0/24", Some("198.51.101.9")).is_none());
    }

    #[test]
    fn some_addresses_never_send() {
        let why = |text: &str| never_sends(text.parse().expect("an address"));
        for (text, whose) in [
            ("0.0.0.0", "no address"),
            ("::", "no address"),
            ("::ffff:0.0.0.0", "no address"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("ff02::1", "multicast"),
            ("::ffff:224.0.0.1", "multicast"),
            ("255.255.255.255", "broadcast"),
        ] {
            assert!(why(text).expect(text).contains(whose), "{text}");
        }
        for text in [
            "0.0.0.1",
            "223.255.255.255",
            "240.0.0.1",
            "255.255.255.254",
            "::2",
            "fe80::1",
        ] {
            assert_eq!(why(text), None, "{text}");
        }
    }

    #[test]
    fn gateways_are_those_of_default_routes() {
        let v4 = "eth0\t00000000\t010010AC\t0003\t0\t0\t100\t00000000\t0\t0\t0";
        let expected = IpAddr::from(0x0100_10ac_u32.to_ne_bytes());
        assert_eq!(gateway_v4(v4), Some(expected));
        assert_eq!(gateway_v4("eth0\t0000000A\t010010AC\t0003"), None);
        assert_eq!(gateway_v4("tun0\t00000000\t00000000\t0001"), None);
        let any = "0".repeat(32);
        let v6 = format!("{any} 00 {any} 00 fe800000000000000000000000000001 00000400 1 0 3 eth0");
        assert_eq!(
            gateway_v6(&v6),
            Some("fe80::1".parse().expect("an address"))
        );
        assert_eq!(gateway_v6("nonsense"), None);
    }

    #[test]
    fn this_machine_has_a_loopback() {
        assert!(own_addresses().contains(&Ipv4Addr::LOCALHOST.into()));
    }
}

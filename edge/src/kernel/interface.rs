//! Network interfaces: which has the default route, which speaks Ethernet.

use std::fs;
use std::io;

use super::ShieldError;

/// The interfaces of the default routes: the best one of IPv4 and the best one of IPv6, usually
/// the same.
pub(super) fn of_default_route() -> Result<Vec<String>, ShieldError> {
    // Of the calling thread's network namespace. A missing file is a family switched off.
    let read =
        |name| fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
    let mut found: Vec<String> = [
        default_ipv4(&read("route")),
        default_ipv6(&read("ipv6_route")),
    ]
    .into_iter()
    .flatten()
    .map(str::to_owned)
    .collect();
    found.dedup();
    if found.is_empty() {
        Err(ShieldError::NoDefaultRoute)
    } else {
        Ok(found)
    }
}

/// `/proc/net/route`: interface, destination, gateway, flags, references, use, metric, mask, ...
fn default_ipv4(table: &str) -> Option<&str> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [
            interface,
            "00000000",
            _,
            flags,
            _,
            _,
            metric,
            "00000000",
            ..,
        ] = fields[..]
        else {
            return None;
        };
        let usable = is_usable(u32::from_str_radix(flags, 16).ok()?);
        usable.then_some((metric.parse::<u32>().ok()?, interface))
    });
    routes
        .min_by_key(|(metric, _)| *metric)
        .map(|(_, interface)| interface)
}

/// `/proc/net/ipv6_route`: destination, its prefix, source, its prefix, next hop, metric,
/// references, use, flags, interface; the numbers in hexadecimal.
fn default_ipv6(table: &str) -> Option<&str> {
    const ANY: &str = "00000000000000000000000000000000";
    let routes = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [ANY, "00", _, _, _, metric, _, _, flags, interface] = fields[..] else {
            return None;
        };
        let usable = is_usable(u32::from_str_radix(flags, 16).ok()?) && interface != "lo";
        usable.then_some((u32::from_str_radix(metric, 16).ok()?, interface))
    });
    routes
        .min_by_key(|(metric, _)| *metric)
        .map(|(_, interface)| interface)
}

/// Up and not a route that rejects.
fn is_usable(flags: u32) -> bool {
    const UP: u32 = 0x1;
    const REJECT: u32 = 0x200;
    flags & (UP | REJECT) == UP
}

/// Its index, if packets on it begin with an Ethernet header.
pub(super) fn index_of_ethernet(interface: &str) -> Result<u32, ShieldError> {
    const HARDWARE_ETHERNET: u16 = 1; // ARPHRD_ETHER
    const HARDWARE_LOOPBACK: u16 = 772; // ARPHRD_LOOPBACK: an Ethernet header of zeros

    let missing = || ShieldError::NoInterface {
        interface: interface.to_owned(),
    };
    let index = nix::net::if_::if_nametoindex(interface).map_err(|_| missing())?;
    match hardware_type(interface) {
        Ok(HARDWARE_ETHERNET | HARDWARE_LOOPBACK) => Ok(index),
        Ok(_) => Err(ShieldError::NotEthernet {
            interface: interface.to_owned(),
        }),
        Err(_) => Err(missing()),
    }
}

/// What `ip link` shows behind `link/`, as a number of `if_arp.h`. Not read from `/sys`, which may
/// belong to another network namespace.
fn hardware_type(interface: &str) -> io::Result<u16> {
    use std::os::fd::AsRawFd;

    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0))
        .or_else(|_| std::net::UdpSocket::bind(("::1", 0)))?;
    // SAFETY: ifreq is plain data for which zeros are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name[..libc::IFNAMSIZ - 1]
        .iter_mut()
        .zip(interface.bytes())
    {
        *to = from.cast_signed();
    }
    // SAFETY: the request is valid for reads and writes, its name ends with a zero.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: SIOCGIFHWADDR fills this member of the union.
    Ok(unsafe { request.ifr_ifru.ifru_hwaddr.sa_family })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ipv4_default_route_with_the_lowest_metric_wins() {
        let table = "\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t010010AC\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth1\t00000000\t010010AC\t0002\t0\t0\t1\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0
";
        assert_eq!(default_ipv4(table), Some("eth0"));
        assert_eq!(default_ipv4(""), None);
        assert_eq!(default_ipv4("Iface\tDestination\nnonsense\n"), None);
    }

    #[test]
    fn the_ipv6_default_route_is_not_the_rejecting_one_on_lo() {
        let any = "0".repeat(32);
        let table = format!(
            "{any} 00 {any} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0\n\
             {any} 00 {any} 00 fe800000000000000000000000000001 00000200 00000001 00000000 00450003     eth1\n\
             fe800000000000000000000000000000 40 {any} 00 {any} 00000100 00000001 00000000 00000001     eth2\n\
             {any} 00 {any} 00 {any} ffffffff 00000001 00000000 00200200       lo\n"
        );
        assert_eq!(default_ipv6(&table), Some("eth1"));
        assert_eq!(
            default_ipv6(&format!(
                "{any} 00 {any} 00 {any} ffffffff 00000001 00000000 00200200 lo\n"
            )),
            None
        );
    }

    #[test]
    fn the_loopback_interface_counts_as_ethernet_and_a_missing_one_is_named() {
        assert_eq!(index_of_ethernet("lo").unwrap(), 1);
        let error = index_of_ethernet("nosuch0").unwrap_err();
        assert!(matches!(&error, ShieldError::NoInterface { interface } if interface == "nosuch0"));
    }
}

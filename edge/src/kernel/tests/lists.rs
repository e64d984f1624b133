//! The allow and deny lists.

use std::time::Duration;

use edge_common::{ListOrigin, Verdict};

use super::frame::*;
use super::harness::*;
use crate::cidr::{Cidr, ListUse, Parsed};
use crate::config;
use crate::kernel::{GuardedPort, Shield, Unlisted};

fn cidr(text: &str) -> Cidr {
    text.parse::<Parsed>().unwrap().cidr
}

pub(super) fn lists(allow: &[&str], deny: &[&str]) -> config::Shield {
    let sorted = |texts: &[&str]| {
        let mut list: Vec<Cidr> = texts.iter().map(|text| cidr(text)).collect();
        list.sort();
        list
    };
    config::Shield {
        allow: sorted(allow),
        deny: sorted(deny),
        ..config(None, None)
    }
}

fn verdict(shield: &mut Shield, source: &str) -> Verdict {
    judge(shield, &from(source, TCP, &tcp(GUARDED_TCP, SYN))).0
}

#[test]
fn networks_are_matched_to_the_bit_in_both_families() {
    let mut shield = load(&lists(
        &["198.51.100.64/26", "2001:db8:a::/47", "192.0.2.7"],
        &["10.0.0.0/8", "2001:db8:d:8000::/49", "2001:db8::7"],
    ));
    for (source, expected) in [
        ("198.51.100.63", Verdict::Passed),
        ("198.51.100.64", Verdict::Allowed),
        ("198.51.100.127", Verdict::Allowed),
        ("198.51.100.128", Verdict::Passed),
        ("192.0.2.7", Verdict::Allowed),
        ("192.0.2.6", Verdict::Passed),
        ("9.255.255.255", Verdict::Passed),
        ("10.0.0.0", Verdict::Denied),
        ("10.255.255.255", Verdict::Denied),
        ("11.0.0.0", Verdict::Passed),
        ("2001:db8:9:ffff::", Verdict::Passed),
        ("2001:db8:a::", Verdict::Allowed),
        ("2001:db8:b:ffff::1", Verdict::Allowed),
        ("2001:db8:c::", Verdict::Passed),
        ("2001:db8:d:7fff::", Verdict::Passed),
        ("2001:db8:d:8000::", Verdict::Denied),
        // Lists know whole addresses, whatever bans and limits are counted by.
        ("2001:db8::7", Verdict::Denied),
        ("2001:db8::8", Verdict::Passed),
    ] {
        assert_eq!(verdict(&mut shield, source), expected, "{source}");
    }
    let ssh = from("10.0.0.1", TCP, &tcp(SSH, SYN));
    assert_eq!(judge(&mut shield, &ssh).0, Verdict::Unguarded);
}

#[test]
fn allow_comes_before_bans_and_deny_and_limits() {
    let mut shield = load(&config::Shield {
        packets: rate(0.001, 1),
        ..lists(&["10.1.0.0/16"], &["10.0.0.0/8", "10.1.2.0/24"])
    });
    let minute = Duration::from_secs(60);
    for banned in ["10.1.2.3", "10.2.0.1"] {
        shield.ban(banned.parse().unwrap(), minute).unwrap();
    }
    for _ in 0..3 {
        assert_eq!(verdict(&mut shield, "10.1.2.3"), Verdict::Allowed);
    }
    assert_eq!(verdict(&mut shield, "10.2.0.1"), Verdict::Banned);
    assert_eq!(verdict(&mut shield, "10.3.0.1"), Verdict::Denied);
    // Not even the shape is looked at.
    let odd = from("10.1.2.3", TCP, &tcp(GUARDED_TCP, SYN | FIN));
    assert_eq!(judge(&mut shield, &odd).0, Verdict::Allowed);
}

#[test]
fn only_lets_in_nobody_else() {
    let mut shield = load(&config::Shield {
        only: true,
        ..lists(&["10.1.0.0/16"], &["10.1.2.0/24", "10.2.0.0/16"])
    });
    assert_eq!(verdict(&mut shield, "10.1.2.3"), Verdict::Allowed);
    assert_eq!(verdict(&mut shield, "10.2.0.1"), Verdict::Denied);
    assert_eq!(verdict(&mut shield, "10.3.0.1"), Verdict::NotAllowed);
    assert_eq!(verdict(&mut shield, "2001:db8::1"), Verdict::NotAllowed);
    let ssh = from("10.3.0.1", TCP, &tcp(SSH, SYN));
    assert_eq!(judge(&mut shield, &ssh).0, Verdict::Unguarded);
}

#[test]
fn hiding_the_port_does_not_evade_a_list_or_a_limit() {
    let mut shield = load(&config::Shield {
        packets: rate(0.001, 1),
        ..lists(&[], &["2001:db8:d::/48"])
    });
    let hidden = |source: &str| {
        let heap = vec![(DESTINATION, extension(0)); 9];
        let source = source.parse().unwrap();
        ethernet(&ipv6_chain(source, &heap, TCP, &tcp(GUARDED_TCP, ACK)))
    };
    let mut verdict = |source: &str| judge(&mut shield, &hidden(source)).0;
    assert_eq!(verdict("2001:db8:d::1"), Verdict::Denied);
    assert_eq!(verdict("2001:db8:e::1"), Verdict::Unparsed);
    assert_eq!(verdict("2001:db8:e::1"), Verdict::PacketRate);
}

#[test]
fn a_reload_changes_what_differs() {
    let mut shield = load(&lists(&["10.1.0.0/16"], &["10.0.0.0/8", "192.0.2.0/24"]));
    assert_eq!(verdict(&mut shield, "192.0.2.1"), Verdict::Denied);
    shield
        .apply(
            &lists(&["10.2.0.0/16"], &["10.0.0.0/8", "2001:db8::/32"]),
            &PORTS,
        )
        .unwrap();
    while shield.sync_lists().unwrap() {}
    for (source, expected) in [
        ("10.1.0.1", Verdict::Denied),
        ("10.2.0.1", Verdict::Allowed),
        ("192.0.2.1", Verdict::Passed),
        ("2001:db8::1", Verdict::Denied),
    ] {
        assert_eq!(verdict(&mut shield, source), expected, "{source}");
    }
    shield.apply(&lists(&[], &[]), &PORTS).unwrap();
    while shield.sync_lists().unwrap() {}
    assert_eq!(verdict(&mut shield, "10.2.0.1"), Verdict::Passed);
    assert_eq!(verdict(&mut shield, "2001:db8::1"), Verdict::Passed);
}

#[test]
fn an_operator_adds_and_takes_away_while_it_runs() {
    use ListUse::{Allow, Deny};
    let mut shield = load(&lists(&[], &["10.0.0.0/8"]));
    let net = cidr("10.1.0.0/16");
    assert!(shield.list_add(Allow, net).unwrap());
    assert!(!shield.list_add(Allow, net).unwrap());
    assert_eq!(verdict(&mut shield, "10.1.0.1"), Verdict::Allowed);
    assert_eq!(shield.listed(Allow, "10.1.9.9".parse().unwrap()), Some(net));
    assert_eq!(shield.listed(Allow, "10.2.9.9".parse().unwrap()), None);

    // What the operator added outlasts a reload; what the file has cannot be taken away.
    shield.apply(&lists(&[], &["10.0.0.0/8"]), &PORTS).unwrap();
    while shield.sync_lists().unwrap() {}
    assert_eq!(verdict(&mut shield, "10.1.0.1"), Verdict::Allowed);
    let listed: Vec<_> = shield.list(Allow).collect();
    assert_eq!(listed, [(net, ListOrigin::OPERATOR)]);
    let configured = cidr("10.0.0.0/8");
    assert_eq!(
        shield.list_remove(Deny, configured).unwrap(),
        Unlisted::Configured
    );
    assert_eq!(verdict(&mut shield, "10.2.0.1"), Verdict::Denied);

    // In both: it stays until it is in neither.
    shield.list_add(Deny, configured).unwrap();
    shield.apply(&lists(&[], &[]), &PORTS).unwrap();
    while shield.sync_lists().unwrap() {}
    assert_eq!(verdict(&mut shield, "10.2.0.1"), Verdict::Denied);
    assert_eq!(
        shield.list_remove(Deny, configured).unwrap(),
        Unlisted::Removed
    );
    assert_eq!(verdict(&mut shield, "10.2.0.1"), Verdict::Passed);
    assert_eq!(
        shield.list_remove(Deny, configured).unwrap(),
        Unlisted::NotListed
    );
    assert_eq!(shield.list_remove(Allow, net).unwrap(), Unlisted::Removed);
    assert_eq!(verdict(&mut shield, "10.1.0.1"), Verdict::Passed);
}

#[test]
fn overlapping_networks_come_and_go_one_by_one() {
    use ListUse::Deny;
    let mut shield = load(&lists(&[], &["10.0.0.0/8", "10.1.0.0/16"]));
    shield.list_add(Deny, cidr("10.1.2.0/24")).unwrap();
    shield.apply(&lists(&[], &["10.1.0.0/16"]), &PORTS).unwrap();
    while shield.sync_lists().unwrap() {}
    assert_eq!(verdict(&mut shield, "10.2.0.1"), Verdict::Passed);
    assert_eq!(verdict(&mut shield, "10.1.9.1"), Verdict::Denied);
    shield.apply(&lists(&[], &[]), &PORTS).unwrap();
    while shield.sync_lists().unwrap() {}
    assert_eq!(verdict(&mut shield, "10.1.9.1"), Verdict::Passed);
    assert_eq!(verdict(&mut shield, "10.1.2.1"), Verdict::Denied);
}

#[test]
fn nobody_is_shut_out_while_the_allow_list_is_written() {
    let networks: Vec<String> = (0..20_000u32)
        .map(|i| format!("10.{}.{}.0/24", i / 256, i % 256))
        .collect();
    let texts: Vec<&str> = networks.iter().map(String::as_str).collect();
    let mut shield = unlimited();
    let only = config::Shield {
        only: true,
        ..lists(&texts, &[])
    };
    shield
        .apply(&only, &[GuardedPort::Tcp(GUARDED_TCP)])
        .unwrap();
    let source = "10.78.31.1"; // In the last one.
    let mut waited = 0;
    loop {
        let more = shield.sync_lists().unwrap();
        let judged = verdict(&mut shield, source);
        if !more {
            assert_eq!(judged, Verdict::Allowed);
            break;
        }
        assert!(
            [Verdict::Passed, Verdict::Allowed].contains(&judged),
            "{judged:?}"
        );
        waited += 1;
    }
    assert!(waited > 2, "it was written in slices");
    assert_eq!(verdict(&mut shield, "192.0.2.1"), Verdict::NotAllowed);
}

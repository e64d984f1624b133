//! Bans: what they drop, when they end, what the table does at its bounds.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use edge_common::{Ipv6Mask, SourceKey, Verdict, ban_filter};

use super::frame::*;
use super::harness::*;
use crate::clock::monotonic_ns;
use crate::kernel::{Ban, Shield, ShieldError};

const MINUTE: Duration = Duration::from_secs(60);

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn verdict(shield: &mut Shield, source: &str) -> Verdict {
    judge(shield, &from(source, TCP, &tcp(GUARDED_TCP, SYN))).0
}

#[test]
fn a_ban_drops_everything_to_guarded_ports_and_nothing_else() {
    let mut shield = unlimited();
    shield.ban(addr("203.0.113.9"), MINUTE).unwrap();
    let mut verdict =
        |protocol, payload: &[u8]| judge(&mut shield, &from("203.0.113.9", protocol, payload)).0;
    assert_eq!(verdict(TCP, &tcp(GUARDED_TCP, SYN)), Verdict::Banned);
    assert_eq!(verdict(TCP, &tcp(GUARDED_TCP, ACK)), Verdict::Banned);
    assert_eq!(verdict(UDP, &udp(GUARDED_UDP, b"x")), Verdict::Banned);
    assert_eq!(verdict(TCP, &tcp(SSH, SYN)), Verdict::Unguarded);
    assert_eq!(verdict(1, &[8; 8]), Verdict::Unguarded);
}

#[test]
fn an_ipv4_ban_is_for_one_address_and_an_ipv6_ban_for_its_prefix() {
    let mut shield = unlimited();
    shield.ban(addr("203.0.113.9"), MINUTE).unwrap();
    shield.ban(addr("2001:db8:1:2::9"), MINUTE).unwrap();
    // As a dual-stack socket reports an IPv4 client.
    shield.ban(addr("::ffff:198.51.100.1"), MINUTE).unwrap();
    let mut verdict = |source| verdict(&mut shield, source);
    assert_eq!(verdict("203.0.113.9"), Verdict::Banned);
    assert_eq!(verdict("203.0.113.8"), Verdict::Passed);
    assert_eq!(verdict("2001:db8:1:2:ffff::1"), Verdict::Banned);
    assert_eq!(verdict("2001:db8:1:3::9"), Verdict::Passed);
    assert_eq!(verdict("198.51.100.1"), Verdict::Banned);
}

#[test]
fn a_ban_cannot_be_evaded_by_hiding_the_port() {
    let mut shield = unlimited();
    let source: Ipv6Addr = "2001:db8:1:2::9".parse().unwrap();
    shield.ban(source.into(), MINUTE).unwrap();
    let hidden = |source, port| {
        let heap = vec![(DESTINATION, extension(0)); 9];
        ethernet(&ipv6_chain(source, &heap, TCP, &tcp(port, SYN)))
    };
    assert_eq!(
        judge(&mut shield, &hidden(source, GUARDED_TCP)).0,
        Verdict::Banned
    );
    let other = "2001:db8:1:3::9".parse().unwrap();
    assert_eq!(
        judge(&mut shield, &hidden(other, GUARDED_TCP)).0,
        Verdict::Unparsed
    );
    // Later fragments pass: without the first, dropped one they come to nothing.
    let first = ipv6_chain(
        source,
        &[(FRAGMENT, fragment(0, true))],
        TCP,
        &tcp(GUARDED_TCP, SYN),
    );
    let second = ipv6_chain(source, &[(FRAGMENT, fragment(3, false))], TCP, &[0; 8]);
    assert_eq!(judge(&mut shield, &ethernet(&first)).0, Verdict::Banned);
    assert_eq!(judge(&mut shield, &ethernet(&second)).0, Verdict::Fragment);
}

#[test]
fn a_ban_expires_on_time() {
    let mut shield = unlimited();
    let source = "203.0.113.9";
    let length = Duration::from_millis(300);
    let banned_after = monotonic_ns();
    shield.ban(addr(source), length).unwrap();
    let banned_before = monotonic_ns();
    loop {
        let (before, verdict) = (monotonic_ns(), verdict(&mut shield, source));
        let after = monotonic_ns();
        let length_ns = length.as_nanos() as u64;
        if after < banned_after + length_ns {
            assert_eq!(verdict, Verdict::Banned);
        }
        // The program knows the time as of the last tick.
        if before > banned_before + length_ns + 2 * 10_000_000 {
            assert_eq!(verdict, Verdict::Passed);
            break;
        }
        wait(Duration::from_millis(1));
    }
    assert_eq!(shield.bans(), []);
}

#[test]
fn a_sweep_removes_what_has_expired() {
    let mut shield = unlimited();
    shield.ban(addr("203.0.113.1"), Duration::ZERO).unwrap();
    shield
        .ban(addr("203.0.113.2"), Duration::from_millis(1))
        .unwrap();
    shield.ban(addr("203.0.113.3"), MINUTE).unwrap();
    wait(Duration::from_millis(5));
    assert_eq!(shield.bans().len(), 1);
    assert_eq!(shield.sweep().unwrap(), 2);
    assert_eq!(shield.sweep().unwrap(), 0);
    assert_eq!(verdict(&mut shield, "203.0.113.3"), Verdict::Banned);
}

#[test]
fn a_ban_can_be_lifted() {
    let mut shield = unlimited();
    for source in ["203.0.113.9", "2001:db8:1:2::9"] {
        shield.ban(addr(source), MINUTE).unwrap();
        assert_eq!(verdict(&mut shield, source), Verdict::Banned);
        assert!(shield.unban(addr(source)).unwrap());
        assert_eq!(verdict(&mut shield, source), Verdict::Passed);
        assert!(!shield.unban(addr(source)).unwrap());
    }
    shield.ban(addr("203.0.113.9"), Duration::ZERO).unwrap();
    assert!(
        !shield.unban(addr("203.0.113.9")).unwrap(),
        "it had expired"
    );
}

#[test]
fn what_a_cpu_remembers_of_the_table_ends_with_every_change_of_it() {
    const BANS: u32 = 1000;
    let mut shield = unlimited();
    let nth = |i: u32| IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + i));
    let bits = |addr| ban_filter(&SourceKey::from_ip(addr, &Ipv6Mask::default()));
    let banned: HashSet<_> = (0..BANS).map(|i| bits(nth(i))).collect();
    (0..BANS).for_each(|i| shield.ban(nth(i), MINUTE).unwrap());
    // Somebody whom the filter takes for one of them, so that the table is asked.
    let mut others = (BANS..).map(nth);
    let other = others.find(|addr| banned.contains(&bits(*addr))).unwrap();
    let is_banned = |shield: &mut Shield| {
        // Looked up, and remembered.
        let verdicts = [(); 3].map(|()| verdict(shield, &other.to_string()));
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]));
        verdicts[0] == Verdict::Banned
    };
    for _ in 0..3 {
        assert!(!is_banned(&mut shield));
        shield.ban(other, MINUTE).unwrap();
        assert!(is_banned(&mut shield));
        shield.unban(other).unwrap();
    }
    shield.ban(other, Duration::from_millis(200)).unwrap();
    wait(Duration::from_millis(220));
    assert!(!is_banned(&mut shield), "it has expired");
    shield.ban(other, MINUTE).unwrap();
    assert!(is_banned(&mut shield), "its entry was still there");
}

#[test]
fn bans_are_listed_in_the_order_they_end_and_only_grow_longer() {
    let mut shield = unlimited();
    shield.ban(addr("203.0.113.9"), 2 * MINUTE).unwrap();
    shield.ban(addr("2001:db8:1:2::9"), MINUTE).unwrap();
    shield.ban(addr("203.0.113.9"), MINUTE).unwrap();
    let list = shield.bans();
    let [six, four] = &list[..] else {
        panic!("{list:?}");
    };
    assert_eq!((six.addr, six.prefix), (addr("2001:db8:1:2::"), 64));
    assert_eq!((four.addr, four.prefix), (addr("203.0.113.9"), 32));
    assert!(four.remaining > Duration::from_secs(110) && four.remaining <= 2 * MINUTE);
    shield.ban(addr("203.0.113.9"), 3 * MINUTE).unwrap();
    let longest = shield.bans().iter().map(|ban: &Ban| ban.remaining).max();
    assert!(longest > Some(Duration::from_secs(170)));
    assert_eq!(shield.bans().len(), 2);
}

#[test]
fn a_ban_for_ever_is_one() {
    let mut shield = unlimited();
    shield.ban(addr("203.0.113.9"), Duration::MAX).unwrap();
    assert_eq!(verdict(&mut shield, "203.0.113.9"), Verdict::Banned);
    assert_eq!(shield.sweep().unwrap(), 0);
}

#[test]
fn a_full_table_says_so_and_keeps_every_ban() {
    const MAX: u32 = 4096;
    let mut shield = Shield::load_small(MAX, &config(None, None), &PORTS).unwrap();
    let nth = |i: u32| IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + i));
    for i in 0..MAX {
        shield.ban(nth(i), MINUTE).unwrap();
    }
    let error = shield.ban(nth(MAX), MINUTE).unwrap_err();
    assert!(
        matches!(error, ShieldError::BansFull { max: MAX }),
        "{error}"
    );
    shield
        .ban(nth(7), 2 * MINUTE)
        .expect("longer, not one more");
    assert_eq!(shield.ban_count(), MAX as usize);
    let last = shield.last_bans(2);
    assert_eq!((last.len(), last[0].addr), (2, nth(7)));
    for i in [0, 7, MAX - 1] {
        assert_eq!(verdict(&mut shield, &nth(i).to_string()), Verdict::Banned);
    }
    assert!(shield.unban(nth(3)).unwrap());
    shield.ban(nth(MAX), MINUTE).unwrap();
}

//! What outlives the process that made it: dropping a shield stands for the process's end.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aya::maps::{MapData, MapInfo};
use edge_common::{LAYOUT, Offender, Verdict};

use super::frame::*;
use super::harness::*;
use super::namespace::{DEVICE, Pair};
use crate::cidr::{Cidr, ListUse};
use crate::config::{self, ShieldMode};
use crate::kernel::{AttachMode, Shield, ShieldError, detach, pinned, sys};

/// Longer than any of these tests takes on a machine that is busy with others.
const LONG: Duration = Duration::from_secs(3600);
const BANNED: &str = "10.99.0.77";

/// A pin directory of a test's own, gone when this is dropped.
struct Pin(PathBuf);

impl Pin {
    fn new() -> Pin {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        Pin(format!("/sys/fs/bpf/edge-kernel-{process}-{count}").into())
    }

    fn config(&self, mode: ShieldMode) -> config::Shield {
        config::Shield {
            mode,
            interfaces: vec![DEVICE.to_owned()],
            pin: Some(self.0.clone()),
            ..config(None, None)
        }
    }

    fn attach(&self, pair: &Pair) -> Result<Shield, ShieldError> {
        pair.on_host(|| Shield::attach(&self.config(ShieldMode::Auto), &PORTS))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // The test may have done so already.
        let _ = detach(&self.0, true);
        if !std::thread::panicking() {
            assert!(!self.0.exists(), "{} stays behind", self.0.display());
        }
    }
}

fn banned() -> IpAddr {
    BANNED.parse().unwrap()
}

fn cidr(text: &str) -> Cidr {
    let parsed: crate::cidr::Parsed = text.parse().unwrap();
    parsed.cidr
}

fn syn() -> Vec<u8> {
    from(BANNED, TCP, &tcp(GUARDED_TCP, SYN))
}

#[test]
fn it_goes_on_dropping_and_the_next_one_takes_over_without_a_gap() {
    const FLOOD: usize = 200_000;

    let (pair, pin) = (Pair::new(), Pin::new());
    let mut first = pin.attach(&pair).unwrap();
    assert!(!first.is_takeover());
    assert_eq!(first.pinned(), Some(&*pin.0));
    first.ban(banned(), LONG).unwrap();

    let last = std::thread::scope(|scope| {
        let flood = scope.spawn(|| pair.flood(&syn(), FLOOD));
        let mut last = first;
        let mut takeovers = 0;
        while takeovers < 5 || !flood.is_finished() {
            drop(last);
            wait(Duration::from_millis(2)); // Nobody there.
            last = pin.attach(&pair).unwrap();
            assert!(last.is_takeover());
            assert_eq!(last.attachments()[0].mode(), AttachMode::Native);
            takeovers += 1;
        }
        last
    });
    // The counters outlive it as well: each packet has been seen, and dropped.
    assert_eq!(packets(&last, Verdict::Banned), FLOOD as u64);
    assert_eq!(packets(&last, Verdict::Passed), 0);
    assert_eq!(last.bans().len(), 1);
}

#[test]
fn bans_expire_while_nobody_is_there() {
    let (pair, pin) = (Pair::new(), Pin::new());
    let mut shield = pin.attach(&pair).unwrap();
    shield.ban(banned(), Duration::from_millis(300)).unwrap();
    pair.flood(&syn(), 10);
    drop(shield);
    wait(Duration::from_millis(350));
    pair.flood(&syn(), 10);
    let mut shield = pin.attach(&pair).unwrap();
    assert_eq!(packets(&shield, Verdict::Banned), 10);
    assert_eq!(packets(&shield, Verdict::Passed), 10);
    assert_eq!(shield.bans(), []);
    assert_eq!(shield.sweep().unwrap(), 1, "it was still in the table");
}

#[test]
fn another_layout_is_left_for_this_one_and_the_bans_come_along() {
    let (pair, pin) = (Pair::new(), Pin::new());
    let mut shield = pin.attach(&pair).unwrap();
    shield.ban(banned(), LONG).unwrap();
    shield.ban("2001:db8::1".parse().unwrap(), LONG).unwrap();
    let networks = ["198.51.100.0/24", "2001:db8:5::/48"].map(cidr);
    for network in networks {
        shield.list_add(ListUse::Deny, network).unwrap();
    }
    drop(shield);
    let (ours, theirs) = (pin.0.join(format!("v{LAYOUT}")), pin.0.join("v0"));
    fs::rename(&ours, &theirs).unwrap();
    assert!(pinned(&pin.0).unwrap().unwrap().is_foreign);

    let flood = 20_000;
    let shield = std::thread::scope(|scope| {
        let flooding = scope.spawn(|| pair.flood(&syn(), flood));
        let shield = pin.attach(&pair).unwrap();
        flooding.join().unwrap();
        shield
    });
    assert!(!shield.is_takeover(), "its maps are new");
    assert!(!theirs.exists() && ours.exists());
    assert_eq!(shield.bans().len(), 2);
    let denied: Vec<Cidr> = shield.list(ListUse::Deny).map(|(cidr, _)| cidr).collect();
    assert_eq!(denied, networks);
    assert_eq!(packets(&shield, Verdict::Passed), 0, "a gap");
    let found = pinned(&pin.0).unwrap().unwrap();
    assert_eq!((found.bans, found.is_foreign), (2, false));
}

#[test]
fn what_is_known_of_clients_comes_along() {
    let (pair, pin) = (Pair::new(), Pin::new());
    let mut shield = pin.attach(&pair).unwrap();
    let (past, other) = (Offender::new(3, 7, u64::MAX), "192.0.2.9".parse().unwrap());
    for addr in [banned(), other] {
        shield.remember(addr, Some(past)).unwrap();
        shield.explain(addr, Some("scraper of prices")).unwrap();
    }
    shield.remember(other, None).unwrap();
    shield.explain(other, None).unwrap();
    shield
        .explain(other, None)
        .expect("it is forgotten already");
    drop(shield);

    let expected = (
        vec![(banned(), past)],
        vec![(banned(), "scraper of prices".to_owned())],
    );
    let known = |shield: &Shield| (shield.remembered().unwrap(), shield.explained().unwrap());
    let shield = pin.attach(&pair).unwrap();
    assert_eq!(known(&shield), expected);
    drop(shield);
    fs::rename(pin.0.join(format!("v{LAYOUT}")), pin.0.join("v0")).unwrap();
    let shield = pin.attach(&pair).unwrap();
    assert!(!shield.is_takeover(), "its maps are new");
    assert_eq!(known(&shield), expected);
}

#[test]
fn lists_are_emptied_before_they_are_freed() {
    let (pair, pin) = (Pair::new(), Pin::new());
    let networks = ["198.51.100.0/24", "203.0.113.7/32", "2001:db8:5::/48"].map(cidr);
    let fill = |shield: &mut Shield| {
        for network in networks {
            shield.list_add(ListUse::Deny, network).unwrap();
        }
    };
    let left = |tries: &[MapData]| -> usize {
        let keys = tries.iter().zip([8, 20]);
        keys.map(|(trie, bytes)| sys::entries(trie.fd(), bytes, 4).unwrap().1.len() / 4)
            .sum()
    };
    let mut shield = pin.attach(&pair).unwrap();
    fill(&mut shield);
    let version = pin.0.join(format!("v{LAYOUT}"));
    let tries = ["DENY_V4", "DENY_V6"].map(|name| MapData::from_pin(version.join(name)).unwrap());
    drop(shield);
    assert_eq!(left(&tries), 3, "they outlive the process");
    detach(&pin.0, false).unwrap();
    assert_eq!(left(&tries), 0);

    let mut shield = unlimited();
    fill(&mut shield);
    let ids = shield.program().xdp().info().unwrap().map_ids().unwrap();
    let named = |name: &str| {
        let infos = ids
            .iter()
            .flatten()
            .map(|id| MapInfo::from_id(*id).unwrap());
        let found = infos
            .into_iter()
            .find(|info| info.name_as_str() == Some(name));
        MapData::from_id(found.unwrap().id()).unwrap()
    };
    let tries = ["DENY_V4", "DENY_V6"].map(named);
    assert_eq!(left(&tries), 3);
    drop(shield);
    assert_eq!(left(&tries), 0);
}

#[test]
fn maps_of_another_shape_are_not_used_whatever_their_number() {
    let (pair, pin) = (Pair::new(), Pin::new());
    let mut shield = pin.attach(&pair).unwrap();
    shield.ban(banned(), LONG).unwrap();
    drop(shield);
    let ours = pin.0.join(format!("v{LAYOUT}"));
    // As if a developer had changed what a map holds and forgotten the number.
    fs::remove_file(ours.join("SOURCES")).unwrap();
    fs::rename(ours.join("CONFIG"), ours.join("SOURCES")).unwrap();

    let shield = pin.attach(&pair).unwrap();
    assert!(!shield.is_takeover());
    assert_eq!(shield.bans().len(), 1);
    let names = fs::read_dir(&pin.0).unwrap().count();
    assert_eq!(names, 1, "the old maps are gone");
}

#[test]
fn what_others_have_put_there_keeps_nobody_from_being_protected() {
    let (pair, pin) = (Pair::new(), Pin::new());
    let mut shield = pin.attach(&pair).unwrap();
    shield.ban(banned(), LONG).unwrap();
    drop(shield);
    let (ours, theirs) = (pin.0.join(format!("v{LAYOUT}")), pin.0.join("v0"));
    // A map that is named like a link.
    let map = MapData::from_pin(ours.join("SOURCES")).unwrap();
    sys::pin(map.fd(), &ours.join("native-other")).unwrap();
    assert_eq!(pinned(&pin.0).unwrap().unwrap().interfaces.len(), 1);
    assert!(pin.attach(&pair).unwrap().is_takeover());

    fs::create_dir(ours.join("directory")).unwrap();
    fs::rename(&ours, &theirs).unwrap();
    let mut shield = pin.attach(&pair).unwrap();
    assert!(shield.attachments()[0].is_live());
    assert!(shield.unban(banned()).unwrap(), "bans came along");
    drop(shield);
    let shield = pin.attach(&pair).unwrap();
    assert_eq!(shield.bans(), [], "those of the old maps came back");
    drop(shield);

    let error = detach(&pin.0, false).unwrap_err().to_string();
    assert!(error.contains("v0/directory"), "{error}");
    assert!(!ours.exists(), "what is attached stays because of it");
    fs::remove_dir(theirs.join("directory")).unwrap();
    assert!(detach(&pin.0, false).unwrap().found);
}

#[test]
fn what_was_left_half_made_is_removed() {
    let (pair, pin) = (Pair::new(), Pin::new());
    drop(pin.attach(&pair).unwrap());
    fs::create_dir(pin.0.join("new")).unwrap();
    assert!(pin.attach(&pair).unwrap().is_takeover());
    assert!(!pin.0.join("new").exists());
}

#[test]
fn a_second_one_is_refused_and_told_who_is_first() {
    let (pair, pin) = (Pair::new(), Pin::new());
    let first = pin.attach(&pair).unwrap();
    let refused = [pin.attach(&pair).map(drop), detach(&pin.0, false).map(drop)];
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(matches!(error, ShieldError::InUse { .. }), "{error}");
        let us = format!("process {}", std::process::id());
        assert!(error.to_string().contains(&us), "{error}");
    }

    // From another directory, on the same interface.
    let other = Pin::new();
    let error = other.attach(&pair).map(drop).unwrap_err();
    let us = format!("process {})", std::process::id()).replace(')', "");
    assert!(
        matches!(&error, ShieldError::Occupied { by, .. } if by.contains(&us)),
        "{error}"
    );

    assert!(first.attachments()[0].is_live());
    assert_eq!(detach(&pin.0, true).unwrap().interfaces, [DEVICE]);
    assert!(!first.attachments()[0].is_live());
}

#[test]
fn of_two_that_start_at_once_one_wins_and_the_other_is_told() {
    let pair = Pair::new();
    for round in 0..4 {
        let (first, second) = (Pin::new(), Pin::new());
        // First in one directory, where the other one waits for a second.
        let pins = match round {
            0 => [&first, &first],
            _ => [&first, &second],
        };
        let both = std::sync::Barrier::new(2);
        let outcomes = std::thread::scope(|scope| {
            let starts = pins.map(|pin| {
                let (pair, both) = (&pair, &both);
                scope.spawn(move || {
                    pair.on_host(|| {
                        both.wait();
                        Shield::attach(&pin.config(ShieldMode::Auto), &PORTS)
                    })
                })
            });
            starts.map(|start| start.join().unwrap())
        });
        let (winner, error) = match outcomes {
            [Ok(winner), Err(error)] | [Err(error), Ok(winner)] => (winner, error),
            [Ok(_), Ok(_)] => panic!("round {round}: both"),
            [Err(one), Err(other)] => panic!("round {round}: {one}; {other}"),
        };
        let attachment = &winner.attachments()[0];
        assert!(attachment.is_live() && attachment.mode() == AttachMode::Native);
        let is_told = match round {
            0 => matches!(error, ShieldError::InUse { .. }),
            _ => matches!(error, ShieldError::Occupied { .. }),
        };
        let us = format!("process {}", std::process::id());
        assert!(
            is_told && error.to_string().contains(&us),
            "{round}: {error}"
        );
        // Who is refused leaves nothing behind.
        let there = [&first, &second].map(|pin| pin.0.exists());
        assert!(there[0] != there[1], "{round}: {there:?}");
        assert!(winner.pinned().is_some_and(Path::exists));
    }
}

#[test]
fn another_mode_and_other_interfaces_are_attached_anew() {
    let (pair, pin) = (Pair::new(), Pin::new());
    let attach = |config: &config::Shield| pair.on_host(|| Shield::attach(config, &PORTS)).unwrap();
    let mut shield = attach(&pin.config(ShieldMode::Native));
    shield.ban(banned(), LONG).unwrap();
    drop(shield);
    let shield = attach(&pin.config(ShieldMode::Generic));
    assert_eq!(shield.attachments()[0].mode(), AttachMode::Generic);
    drop(shield);
    let elsewhere = config::Shield {
        interfaces: vec!["lo".to_owned()],
        ..pin.config(ShieldMode::Auto)
    };
    let shield = attach(&elsewhere);
    assert_eq!(shield.bans().len(), 1);
    let found = pinned(&pin.0).unwrap().unwrap().interfaces;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].interface, "lo");
}

#[test]
fn an_interface_that_was_made_anew_is_attached_anew() {
    let (pair, pin) = (Pair::new(), Pin::new());
    let shield = pin.attach(&pair).unwrap();
    pair.ip_on_host(&["link", "del", DEVICE]);
    assert!(!shield.attachments()[0].is_live());
    drop(shield);
    assert!(!pinned(&pin.0).unwrap().unwrap().interfaces[0].is_attached);
    pair.ip_on_host(&[
        "link", "add", DEVICE, "type", "veth", "peer", "name", "other",
    ]);
    let shield = pin.attach(&pair).unwrap();
    assert!(shield.attachments()[0].is_live());
}

#[test]
fn where_nothing_can_be_pinned_it_protects_until_its_end() {
    let pair = Pair::new();
    let ordinary = tempfile::tempdir().unwrap();
    let config = config::Shield {
        pin: Some(ordinary.path().join("edge")),
        ..Pin::new().config(ShieldMode::Auto)
    };
    let shield = pair.on_host(|| Shield::attach(&config, &PORTS)).unwrap();
    assert_eq!(shield.pinned(), None);
    let error = shield.unpinned().unwrap().to_string();
    assert!(error.contains("mount -t bpf"), "{error}");
    drop(shield);
    let error = detach(ordinary.path(), false).unwrap_err();
    assert!(error.to_string().contains("BPF file system"), "{error}");
    assert_eq!(
        pinned(Path::new("/sys/fs/bpf/edge-nonesuch")).unwrap(),
        None
    );
}

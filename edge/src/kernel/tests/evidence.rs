//! What is reported of what is dropped, and what is only watched.

use std::time::Duration;

use edge_common::{EVIDENCE_BURST, Evidence, Family, Verdict};

use super::frame::*;
use super::harness::*;
use super::lists::lists;
use crate::clock::monotonic_ns;
use crate::config;

#[test]
fn a_drop_is_reported_with_source_port_and_time() {
    let mut shield = load(&lists(&[], &["10.0.0.0/8", "2001:db8:d::/48"]));
    let before = monotonic_ns();
    judge(&mut shield, &from("10.1.2.3", TCP, &tcp(GUARDED_TCP, SYN)));
    judge(
        &mut shield,
        &from("2001:db8:d:1::9", UDP, &udp(GUARDED_UDP, b"x")),
    );
    judge(&mut shield, &from("192.0.2.1", TCP, &tcp(GUARDED_TCP, SYN)));
    judge(&mut shield, &from("10.1.2.3", TCP, &tcp(SSH, SYN)));
    let reports = shield.evidence();
    let [four, six] = &reports[..] else {
        panic!("{reports:?}");
    };
    assert_eq!(four.verdict(), Some(Verdict::Denied));
    assert_eq!(four.family(), Some(Family::V4));
    assert_eq!(
        four.source.ip(),
        "10.1.2.3".parse::<std::net::IpAddr>().unwrap()
    );
    assert_eq!((four.protocol, four.port), (TCP, GUARDED_TCP));
    assert!(!four.watched());
    assert_eq!(six.family(), Some(Family::V6));
    assert_eq!(
        six.source.ip(),
        "2001:db8:d:1::".parse::<std::net::IpAddr>().unwrap()
    );
    assert_eq!((six.protocol, six.port), (UDP, GUARDED_UDP));
    // As of the last tick, of at most 10 ms.
    assert!(four.at_ns + 20_000_000 > before && four.at_ns <= monotonic_ns());
    assert_eq!(shield.evidence(), []);
    assert_eq!(shield.evidence_lost().unwrap(), 0);
}

#[cfg(feature = "bpf-log")]
#[test]
fn a_build_that_logs_says_what_is_dropped() {
    use std::io::{Read, Seek};

    let mut file = tempfile::tempfile().unwrap();
    let writer = file.try_clone().unwrap();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(std::sync::Mutex::new(writer))
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let mut shield = load(&lists(&[], &["10.0.0.0/8"]));
        judge(&mut shield, &from("10.1.2.3", TCP, &tcp(GUARDED_TCP, SYN)));
        assert_eq!(shield.evidence().len(), 1);
    });
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    let verdict = Verdict::Denied as u8;
    let line = format!("{verdict}: from ::ffff:10.1.2.3 to port {GUARDED_TCP}");
    assert!(text.contains(&line), "{text:?}");
}

#[test]
fn a_flood_is_a_few_reports_and_does_not_hide_the_others() {
    let mut shield = load(&lists(&[], &["10.0.0.0/8"]));
    let banned = "192.0.2.66".parse().unwrap();
    shield.ban(banned, Duration::from_secs(60)).unwrap();
    let flood = from("10.1.2.3", TCP, &tcp(GUARDED_TCP, SYN));
    let start = monotonic_ns();
    run(&mut shield, &flood, 1_000_000);
    judge(
        &mut shield,
        &from("192.0.2.66", TCP, &tcp(GUARDED_TCP, SYN)),
    );
    let seconds = (monotonic_ns() - start).div_ceil(1_000_000_000);
    let reports = shield.evidence();
    let of = |verdict| {
        let of_kind = |report: &&Evidence| report.verdict() == Some(verdict);
        reports.iter().filter(of_kind).count() as u64
    };
    let most = u64::from(EVIDENCE_BURST) + 17 * seconds;
    let denied = of(Verdict::Denied);
    assert!((1..=most).contains(&denied), "{denied}, at most {most}");
    assert_eq!(of(Verdict::Banned), 1);
}

#[test]
fn monitoring_drops_nothing_and_counts_what_it_would() {
    let mut shield = load(&config::Shield {
        monitor: true,
        packets: rate(0.001, 1),
        ..lists(&["192.0.2.0/24"], &["10.0.0.0/8"])
    });
    let banned = "198.51.100.66".parse().unwrap();
    shield.ban(banned, Duration::from_secs(60)).unwrap();
    let sent = [
        ("10.1.2.3", ACK, Verdict::Denied),
        ("198.51.100.66", ACK, Verdict::Banned),
        ("203.0.113.9", SYN | FIN, Verdict::TcpFlags),
        ("203.0.113.9", ACK, Verdict::Passed),
        ("203.0.113.9", ACK, Verdict::PacketRate),
        ("192.0.2.1", SYN | FIN, Verdict::Allowed),
    ];
    for (source, flags, _) in sent {
        let frame = from(source, TCP, &tcp(GUARDED_TCP, flags));
        assert_eq!(run(&mut shield, &frame, 1).0, 2, "XDP_PASS");
    }
    let (passed, watched) = (shield.verdicts().unwrap(), shield.watched().unwrap());
    for (passed, watched) in passed.iter().zip(&watched) {
        let (verdict, family, _) = *passed;
        let is_sent = sent.iter().any(|sent| sent.2 == verdict) && family == Family::V4;
        let expected = match (is_sent, verdict.dropped()) {
            (false, _) => (0, 0),
            (true, true) => (0, 1),
            (true, false) => (1, 0),
        };
        assert_eq!((passed.2, watched.2), expected, "{verdict:?} {family:?}");
    }
    let reports = shield.evidence();
    assert_eq!(reports.len(), 4);
    assert!(reports.iter().all(Evidence::watched));

    // Live, and back.
    let on = config::Shield {
        packets: rate(0.001, 1),
        ..lists(&["192.0.2.0/24"], &["10.0.0.0/8"])
    };
    shield.apply(&on, &PORTS).unwrap();
    let denied = from("10.1.2.3", TCP, &tcp(GUARDED_TCP, ACK));
    assert_eq!(judge(&mut shield, &denied).0, Verdict::Denied);
}

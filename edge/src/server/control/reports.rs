//! What becomes of the samples of dropped packets: log lines at a bounded rate, and a table of who
//! is dropped most.

use std::collections::HashMap;
use std::net::IpAddr;

use edge_common::{Evidence, Family, Verdict};

/// Log lines a second on average, and at once. What is beyond is counted and said with the next.
const LINES_PER_SEC: u64 = 5;
const LINES_BURST: u64 = 20;

/// Sources in the table; the one with the fewest samples makes room.
const SOURCES_MAX: usize = 1024;

/// A source that is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dropped {
    pub(super) addr: IpAddr,
    /// Samples since it came into the table: at least so many of its packets were dropped.
    pub(super) samples: u64,
    /// Samples a second lately.
    pub(super) per_sec: f64,
    pub(super) verdict: Verdict,
    pub(super) port: u16,
    /// Nanoseconds since the last one.
    pub(super) age_ns: u64,
}

/// Everything that is remembered of samples.
#[derive(Debug, Default)]
pub(super) struct Reports {
    sources: HashMap<IpAddr, Source>,
    /// Log lines saved up, in nanoseconds of [`LINES_PER_SEC`].
    refilled_ns: u64,
    lines: u64,
    suppressed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    samples: u64,
    per_sec: f64,
    verdict: Verdict,
    port: u16,
    last_ns: u64,
}

impl Reports {
    /// Takes samples in, and logs as many as may be.
    pub(super) fn take(&mut self, evidence: &[Evidence], now_ns: u64) {
        for report in evidence {
            let (Some(verdict), Some(family)) = (report.verdict(), report.family()) else {
                continue;
            };
            self.count(report, verdict, now_ns);
            if self.may_log(now_ns) {
                let suppressed = std::mem::take(&mut self.suppressed);
                log(report, verdict, family, suppressed, now_ns);
            } else {
                self.suppressed += 1;
            }
        }
    }

    fn count(&mut self, report: &Evidence, verdict: Verdict, now_ns: u64) {
        let addr = report.source.ip();
        if !self.sources.contains_key(&addr) && self.sources.len() >= SOURCES_MAX {
            self.make_room();
        }
        let source = self.sources.entry(addr).or_insert(Source {
            samples: 0,
            per_sec: 0.0,
            verdict,
            port: report.port,
            last_ns: now_ns,
        });
        source.per_sec = decayed(source, now_ns) + 1.0 / MEMORY_SECS;
        source.samples += 1;
        (source.verdict, source.port, source.last_ns) = (verdict, report.port, now_ns);
    }

    /// Forgets half of the sources, those with the fewest samples: seldom, so that a flood of
    /// forged sources costs little a sample.
    fn make_room(&mut self) {
        let mut samples: Vec<u64> = self.sources.values().map(|source| source.samples).collect();
        let (_, median, _) = samples.select_nth_unstable(SOURCES_MAX / 2);
        let (median, mut surplus) = (*median, SOURCES_MAX / 2);
        self.sources.retain(|_, source| {
            let goes = source.samples <= median && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }

    fn may_log(&mut self, now_ns: u64) -> bool {
        const LINE_NS: u64 = 1_000_000_000 / LINES_PER_SEC;
        let earned = now_ns.saturating_sub(self.refilled_ns) / LINE_NS;
        if earned > 0 {
            self.lines = (self.lines + earned).min(LINES_BURST);
            self.refilled_ns = now_ns;
        }
        let may = self.lines > 0;
        self.lines = self.lines.saturating_sub(1);
        may
    }

    /// The sources that are dropped at the highest rate, and those dropped most.
    pub(super) fn top(&self, count: usize, now_ns: u64) -> Vec<Dropped> {
        let mut found: Vec<Dropped> = self
            .sources
            .iter()
            .map(|(&addr, source)| Dropped {
                addr,
                samples: source.samples,
                per_sec: decayed(source, now_ns),
                verdict: source.verdict,
                port: source.port,
                age_ns: now_ns.saturating_sub(source.last_ns),
            })
            .collect();
        found.sort_by(|a, b| {
            let by_rate = b.per_sec.total_cmp(&a.per_sec);
            by_rate
                .then(b.samples.cmp(&a.samples))
                .then(a.addr.cmp(&b.addr))
        });
        found.truncate(count);
        found
    }
}

/// Rates forget with this time constant.
const MEMORY_SECS: f64 = 5.0;

fn decayed(source: &Source, now_ns: u64) -> f64 {
    let secs = now_ns.saturating_sub(source.last_ns) as f64 / 1e9;
    source.per_sec * (-secs / MEMORY_SECS).exp()
}

fn log(report: &Evidence, verdict: Verdict, family: Family, suppressed: u64, now_ns: u64) {
    let protocol = match report.protocol {
        6 => "tcp",
        17 => "udp",
        _ => "hidden",
    };
    let ago_ms = now_ns.saturating_sub(report.at_ns) / 1_000_000;
    tracing::info!(
        addr = %report.source.ip(),
        verdict = verdict.name(),
        family = family.name(),
        protocol,
        port = report.port,
        ago_ms,
        watched = report.watched(),
        suppressed,
        "dropped a packet"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use edge_common::SourceKey;

    const SECOND: u64 = 1_000_000_000;

    fn report(last: u8, verdict: Verdict) -> Evidence {
        let source = SourceKey::from_v4([192, 0, 2, last]);
        Evidence::new(SECOND, source, verdict, Family::V4, (6, 443), false)
    }

    #[test]
    fn those_who_are_dropped_most_lately_come_first() {
        let mut reports = Reports::default();
        let many = vec![report(1, Verdict::Banned); 100];
        reports.take(&many, SECOND);
        reports.take(&[report(2, Verdict::PacketRate)], 60 * SECOND);
        let top = reports.top(10, 60 * SECOND);
        assert_eq!(top[0].addr, IpAddr::from([192, 0, 2, 2]));
        assert_eq!((top[0].samples, top[0].verdict), (1, Verdict::PacketRate));
        assert_eq!((top[1].samples, top[1].age_ns), (100, 59 * SECOND));
        assert!((19.9..20.1).contains(&reports.top(10, SECOND)[0].per_sec));
        assert_eq!(reports.top(1, SECOND).len(), 1);
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_worst() {
        let mut reports = Reports::default();
        reports.take(&vec![report(9, Verdict::Banned); 10], SECOND);
        for n in 0..100_000u32 {
            let source = SourceKey::from_v4(n.to_be_bytes());
            let report = Evidence::new(0, source, Verdict::Banned, Family::V4, (6, 1), false);
            reports.take(&[report], SECOND);
            assert!(reports.sources.len() <= SOURCES_MAX);
        }
        assert_eq!(reports.top(1, SECOND)[0].samples, 10);
    }

    #[test]
    fn lines_are_few_and_say_how_many_were_left_out() {
        let mut reports = Reports::default();
        let mut lines = |count: u64, now| {
            let before = reports.suppressed;
            for _ in 0..count {
                match reports.may_log(now) {
                    true => reports.suppressed = 0,
                    false => reports.suppressed += 1,
                }
            }
            (before, reports.suppressed)
        };
        assert_eq!(lines(100, 100 * SECOND), (0, 80));
        assert_eq!(lines(100, 101 * SECOND), (80, 95));
        assert_eq!(lines(1, 101 * SECOND), (95, 96));
        assert_eq!(lines(1, 103 * SECOND), (96, 0));
    }
}

//! Reports of what was dropped: a few of each kind a second, so that a flood costs nothing more.

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use edge_common::{Cpu, EVIDENCE_BURST, EVIDENCE_PER_SEC, Evidence, Gcra, ShieldConfig, Verdict};

use crate::clock;
use crate::maps::EVIDENCE;
use crate::parse::Segment;

const REPORTS: Gcra =
    match Gcra::from_interval(1_000_000_000 / EVIDENCE_PER_SEC as u64, EVIDENCE_BURST) {
        Some(gcra) => gcra,
        None => panic!("neither is zero"),
    };

/// Reports a dropped packet, unless enough of its kind were. The proxy looks into the ring from
/// time to time and is not woken.
#[inline(always)]
pub(crate) fn report(
    config: &ShieldConfig,
    cpu: &mut Cpu,
    segment: &Segment<'_>,
    port: u16,
    (verdict, watched): (Verdict, bool),
) {
    let Some(tat) = cpu.reports_tat.get_mut(verdict as usize) else {
        return; // There is one for each: cannot happen.
    };
    let Ok(next) = REPORTS.admit(*tat, clock::ticks(config)) else {
        return;
    };
    *tat = next;
    #[cfg(feature = "log")]
    say(segment, port, verdict);
    match EVIDENCE.reserve(0) {
        Some(mut report) => {
            report.write(Evidence::new(
                clock::monotonic(cpu),
                segment.source,
                verdict,
                segment.family,
                (segment.protocol.number(), port),
                watched,
            ));
            report.submit(BPF_RB_NO_WAKEUP.into());
        }
        None => cpu.reports_lost += 1,
    }
}

/// The same in words, for who works on the program.
#[cfg(feature = "log")]
#[inline(always)]
fn say(segment: &Segment<'_>, port: u16, verdict: Verdict) {
    let [high, low] = segment.source.words();
    let mut source = [0; 16];
    source[..8].copy_from_slice(&high.to_ne_bytes());
    source[8..].copy_from_slice(&low.to_ne_bytes());
    // Whose turn it is does not matter to the ring that takes the line.
    aya_log_ebpf::debug!(&(), "{}: from {:i} to port {}", verdict as u8, source, port);
}

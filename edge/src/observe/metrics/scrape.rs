//! Values that live elsewhere and are read when the page is.

use edge_common::{Family, Verdict};

use super::describe;
use super::text;

/// What the metrics page needs from the rest of the process at the moment it is read.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// Access log lines lost so far.
    pub access_log_dropped: u64,
    /// Bans asked for by workers that did not fit the queue, so far.
    pub ban_requests_dropped: u64,
    /// Every interface the shield should protect; empty when it is switched off.
    pub shield: Vec<ShieldLink>,
    /// The kernel's counters; empty when there is no kernel program.
    pub verdicts: Vec<ShieldVerdict>,
    /// Packets that passed only because the program just watches; empty as above.
    pub watched: Vec<ShieldVerdict>,
    /// Samples of dropped packets that were lost; `None` when there is no kernel program.
    pub samples_lost: Option<u64>,
    /// Bans in force; `None` as above.
    pub bans: Option<usize>,
}

/// One interface and whether it is protected.
#[derive(Clone, Debug)]
pub struct ShieldLink {
    /// The interface's name; `none` when it could not even be found.
    pub interface: String,
    /// `native`, `generic` or, where nothing is attached, `none`.
    pub mode: &'static str,
    /// The kernel program is attached.
    pub attached: bool,
}

/// One of the kernel's counters.
#[derive(Clone, Copy, Debug)]
pub struct ShieldVerdict {
    /// What became of the packets.
    pub verdict: Verdict,
    /// Their address family.
    pub family: Family,
    /// How many, since the program was loaded.
    pub packets: u64,
}

pub(super) fn render_shield(page: &mut String, scrape: &Scrape) {
    if !scrape.shield.is_empty() {
        let name = describe::SHIELD_ATTACHED;
        text::head(page, name, "gauge", describe::SHIELD_ATTACHED_HELP);
        for link in &scrape.shield {
            let labels = [("interface", &*link.interface), ("mode", link.mode)];
            text::sample(page, name, &labels, u8::from(link.attached));
        }
    }
    let name = describe::SHIELD_PACKETS;
    render_verdicts(page, name, describe::SHIELD_PACKETS_HELP, &scrape.verdicts);
    let name = describe::SHIELD_WATCHED;
    let watched = scrape
        .watched
        .iter()
        .filter(|counter| counter.verdict.dropped());
    let watched: Vec<ShieldVerdict> = watched.copied().collect();
    render_verdicts(page, name, describe::SHIELD_WATCHED_HELP, &watched);
    if let Some(bans) = scrape.bans {
        let name = describe::SHIELD_BANS;
        text::head(page, name, "gauge", describe::SHIELD_BANS_HELP);
        text::sample(page, name, &[], bans);
    }
    if let Some(lost) = scrape.samples_lost {
        let name = describe::SHIELD_SAMPLES_LOST;
        text::head(page, name, "counter", describe::SHIELD_SAMPLES_LOST_HELP);
        text::sample(page, name, &[], lost);
    }
}

fn render_verdicts(page: &mut String, name: &str, help: &str, counters: &[ShieldVerdict]) {
    if counters.is_empty() {
        return;
    }
    text::head(page, name, "counter", help);
    for counter in counters {
        let labels = [
            ("verdict", counter.verdict.name()),
            ("family", counter.family.name()),
        ];
        text::sample(page, name, &labels, counter.packets);
    }
}

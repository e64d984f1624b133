//! A snapshot as lines of a screen.

use crate::cli::bans::address;
use crate::cli::output;
use crate::cli::table::{remaining, table};
use crate::observe::admin::{Ban, Source, Top, Verdicts};

/// The lines of a screen of this size; rates are since `before`.
pub(super) fn lines(now: &Top, before: Option<&Top>, columns: usize, rows: usize) -> Vec<String> {
    let mut lines = vec![headline(now), String::new()];
    lines.extend(verdicts(now, before));
    // What is left is shared by sources and bans, with a title and an empty line each.
    let room = rows.saturating_sub(lines.len() + 6);
    let bans = now
        .bans
        .len()
        .min((room / 2).max(room.saturating_sub(now.sources.len())));
    let sources = now.sources.len().min(room - bans);
    lines.push(String::new());
    lines.extend(dropped(&now.sources[..sources]));
    lines.push(String::new());
    lines.extend(banned(&now.bans[..bans], now.bans_total));
    for line in &mut lines {
        if let Some((cut, _)) = line.char_indices().nth(columns) {
            line.truncate(cut);
        }
    }
    lines.truncate(rows);
    lines
}

fn headline(now: &Top) -> String {
    let links = now
        .shield
        .iter()
        .map(|link| match (link.attached, &*link.mode) {
            (true, mode) => format!("{} {mode}", link.interface),
            (false, "off") => "shield off".to_owned(),
            (false, _) => format!("{} NOT ATTACHED", link.interface),
        });
    let links: Vec<String> = links.collect();
    format!(
        "edge  {}  {}",
        links.join(", "),
        output::bans(now.bans_total)
    )
}

/// Rows for what has happened at all, so that the screen is not full of zeros.
fn verdicts(now: &Top, before: Option<&Top>) -> Vec<String> {
    let seconds = before.map(|before| now.uptime_ms.saturating_sub(before.uptime_ms) as f64 / 1e3);
    let earlier = |verdict: &str, count: fn(&Verdicts) -> u64| {
        let found = before?
            .packets
            .iter()
            .find(|found| found.verdict == verdict)?;
        Some(count(found))
    };
    let rate = |verdict: &Verdicts, count: fn(&Verdicts) -> u64| match (
        seconds,
        earlier(&verdict.verdict, count),
    ) {
        (Some(seconds), Some(earlier)) if seconds > 0.0 => {
            let packets = count(verdict).saturating_sub(earlier);
            format!("{:.0}", packets as f64 / seconds)
        }
        _ => "-".to_owned(),
    };
    let seen = now
        .packets
        .iter()
        .filter(|verdict| verdict.packets + verdict.watched > 0);
    let rows: Vec<[String; 5]> = seen
        .map(|verdict| {
            let fate = if verdict.dropped { "dropped" } else { "passed" };
            [
                verdict.verdict.clone(),
                fate.to_owned(),
                rate(verdict, |verdict| verdict.packets),
                verdict.packets.to_string(),
                match verdict.watched {
                    0 => String::new(),
                    watched => format!("{watched} passed by monitor"),
                },
            ]
        })
        .collect();
    match rows.is_empty() {
        true => vec!["no packet yet".to_owned()],
        false => split(&table(["VERDICT", "", "/S", "PACKETS", ""], &[2, 3], &rows)),
    }
}

fn dropped(sources: &[Source]) -> Vec<String> {
    if sources.is_empty() {
        return vec!["nobody was dropped".to_owned()];
    }
    let rows: Vec<[String; 6]> = sources
        .iter()
        .map(|source| {
            [
                source.addr.to_string(),
                format!("{:.1}", source.per_sec),
                source.samples.to_string(),
                source.port.to_string(),
                format!("{}s", source.age_ms / 1000),
                source.verdict.clone(),
            ]
        })
        .collect();
    let titles = [
        "DROPPED SOURCE",
        "SAMPLES/S",
        "SAMPLES",
        "PORT",
        "AGO",
        "LAST",
    ];
    split(&table(titles, &[1, 2, 3, 4], &rows))
}

fn banned(bans: &[Ban], total: usize) -> Vec<String> {
    if total == 0 {
        return vec!["nobody is banned".to_owned()];
    }
    let rows: Vec<[String; 5]> = bans
        .iter()
        .map(|ban| {
            [
                address(ban),
                remaining(ban.remaining_ms),
                ban.origin.clone(),
                ban.count.to_string(),
                ban.reason.clone(),
            ]
        })
        .collect();
    split(&table(
        ["BANNED", "LEFT", "BY", "TIMES", "REASON"],
        &[1, 3],
        &rows,
    ))
}

fn split(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::admin::ShieldStatus;

    fn snapshot(uptime_ms: u64, banned: u64) -> Top {
        let verdict = |name: &str, dropped, packets, watched| Verdicts {
            verdict: name.into(),
            dropped,
            packets,
            watched,
        };
        Top {
            uptime_ms,
            shield: vec![ShieldStatus {
                interface: "eth0".into(),
                mode: "native".into(),
                attached: true,
            }],
            packets: vec![
                verdict("passed", false, 1000, 0),
                verdict("banned", true, banned, 3),
                verdict("malformed", true, 0, 0),
            ],
            sources: (1..=9)
                .map(|last| Source {
                    addr: [203, 0, 113, last].into(),
                    samples: 40,
                    per_sec: 7.95,
                    verdict: "banned".into(),
                    port: 443,
                    age_ms: 1500,
                })
                .collect(),
            bans_total: 1,
            bans: vec![Ban {
                addr: [203, 0, 113, 7].into(),
                prefix: 32,
                remaining_ms: 598_200,
                origin: "limit".into(),
                reason: "refused".into(),
                count: 2,
            }],
        }
    }

    #[test]
    fn a_screen_shows_rates_sources_and_bans() {
        let (before, now) = (snapshot(1000, 500), snapshot(3000, 2500));
        insta::assert_snapshot!(lines(&now, Some(&before), 80, 14).join("\n"), @"
        edge  eth0 native  1 ban

        VERDICT             /S  PACKETS
        passed   passed      0     1000
        banned   dropped  1000     2500  3 passed by monitor

        DROPPED SOURCE  SAMPLES/S  SAMPLES  PORT  AGO  LAST
        203.0.113.1           8.0       40   443   1s  banned
        203.0.113.2           8.0       40   443   1s  banned

        BANNED         LEFT  BY     TIMES  REASON
        203.0.113.7  9m 59s  limit      2  refused
        ");
    }

    #[test]
    fn every_size_is_kept_to() {
        let now = snapshot(1000, 500);
        for (columns, rows) in [(0, 0), (1, 1), (10, 3), (40, 12), (200, 100)] {
            let lines = lines(&now, None, columns, rows);
            assert!(lines.len() <= rows, "{columns} x {rows}");
            assert!(lines.iter().all(|line| line.chars().count() <= columns));
        }
        let nothing = lines(&Top::default(), None, 80, 24).join("\n");
        assert!(nothing.contains("no packet yet") && nothing.contains("nobody is banned"));
    }
}

//! What was measured, for people and for programs.

use anyhow::Result;
use serde::Serialize;

use super::{Args, shell};
use crate::report::{Page, Table};

/// What one subject did with one kind of packet.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Record {
    pub(super) workload: String,
    pub(super) subject: &'static str,
    /// A packet; in a flood the receiver's CPU time for it. The median of the rounds.
    pub(super) ns: f64,
    /// Distance between the quartiles.
    pub(super) spread: f64,
    /// To `xdp-filter` in the same rounds.
    pub(super) ratio: f64,
    /// Packets a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pps: Option<f64>,
    /// The most the ratio is to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<f64>,
}

/// Prints the records the way that was asked for.
pub(super) fn publish(args: &Args, records: &[Record]) -> Result<()> {
    if args.json {
        for record in records {
            println!("{}", serde_json::to_string(record)?);
        }
        return Ok(());
    }
    if args.markdown {
        let page = Page::of_versions("The shield, per packet", versions()?);
        print!("{page}");
    }
    let mut table = Table::new([
        "workload",
        "subject",
        "ns",
        "spread",
        "to xdp-filter",
        "target",
        "packets/s",
    ]);
    for record in records {
        table.row([
            record.workload.clone(),
            record.subject.to_owned(),
            format!("{:.0}", record.ns),
            format!("{:.0}", record.spread),
            format!("{:.2}", record.ratio),
            record
                .target
                .map_or("".into(), |target| format!("{target:.2}")),
            record.pps.map_or("".into(), |pps| format!("{pps:.0}")),
        ]);
    }
    println!("{table}\n{}", verdict(records));
    Ok(())
}

fn verdict(records: &[Record]) -> String {
    let missed: Vec<String> = records
        .iter()
        .filter(|record| record.target.is_some_and(|target| record.ratio > target))
        .map(|record| format!("{} ({:.2})", record.workload, record.ratio))
        .collect();
    match missed.is_empty() {
        true => "Every target is met.".to_owned(),
        false => format!("Short of the target: {}.", missed.join(", ")),
    }
}

fn versions() -> Result<Vec<String>> {
    let first_line = |program: &str, argument: &str| -> Result<String> {
        let text = shell::run(program, &[argument])?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    };
    Ok(vec![
        first_line("xdp-filter", "--version")?,
        first_line("nft", "--version")?,
        first_line("iptables", "--version")?,
    ])
}

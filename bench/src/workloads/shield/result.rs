//! What was measured, as records.

use anyhow::Result;

use super::super::rounds::relate;
use super::super::shell;
use super::{TITLE, live};
use crate::measure::Quartiles;
use crate::report::Record;

/// What one subject did with one kind of packet.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) case: String,
    pub(super) subject: &'static str,
    /// Nanoseconds a packet, round by round; in a flood the receiver's CPU time for it.
    pub(super) ns: Vec<f64>,
    /// Packets a second.
    pub(super) pps: Option<f64>,
}

/// The same, each compared with `xdp-filter` in the same rounds: on the same flood, or where no flood
/// is, on the packet that it denies. Many live sources are compared with few.
pub(super) fn records(measured: &[Measured]) -> Result<Vec<Record>> {
    let versions = [
        ("nftables", first_line("nft", "--version")?),
        ("iptables", first_line("iptables", "--version")?),
    ];
    let base_of = |own: &Measured| {
        if own.case == live::CASE {
            return measured.iter().find(|other| other.subject == live::FEW);
        }
        let bases = measured.iter().filter(|other| {
            other.subject == "xdp-filter" && other.pps.is_some() == own.pps.is_some()
        });
        let mut bases = bases.filter(|other| own.pps.is_none() || other.case == own.case);
        bases.next()
    };
    let mut all = Vec::new();
    for own in measured {
        let Some(ns) = Quartiles::of(own.ns.clone()) else {
            continue;
        };
        let version = versions.iter().find(|(name, _)| *name == own.subject);
        let record = |proxy: &str| Record {
            workload: TITLE.name.to_owned(),
            case: own.case.clone(),
            proxy: proxy.to_owned(),
            ns_per_packet: Some(ns.median),
            spread: Some(ns.spread()),
            requests_per_s: own.pps,
            ratio_of: "ns_per_packet".to_owned(),
            version: version.map(|(_, text)| text.clone()).unwrap_or_default(),
            ..Record::default()
        };
        let mut pair = vec![record(own.subject)];
        let mut rows = vec![own.ns.as_slice()];
        if let Some(base) = base_of(own).filter(|base| base.subject != own.subject) {
            pair.push(record(base.subject));
            rows.push(&base.ns);
        }
        relate(&mut pair, &rows);
        all.push(pair.swap_remove(0));
    }
    Ok(all)
}

fn first_line(program: &str, argument: &str) -> Result<String> {
    let text = shell::run(program, &[argument])?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

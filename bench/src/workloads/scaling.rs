//! One worker and two: whether a second one does as much as the first.

use anyhow::Result;

use super::calls::{CONNECTIONS, closed_loop};
use super::command::Options;
use super::rounds::records;
use super::stage::peers;
use crate::load::Language;
use crate::measure::Cpus;
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "scaling",
    title: "one worker and two",
    about: "The calls of https1, with every proxy on one CPU and then on two. Where the machine has \
            no third CPU, the load takes its time from the second worker: then calls per second say \
            little, and what counts is that CPU per request stays the same.",
};
const WORKERS: [usize; 2] = [1, 2];

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let mut all = Vec::new();
    for workers in WORKERS {
        let mut peers = peers(options, |_| true)?;
        for peer in &mut peers {
            peer.workers = workers;
        }
        let case = match (workers, Cpus::claim(workers)?.are_apart()) {
            (1, _) => "1 worker".to_owned(),
            (_, true) => format!("{workers} workers"),
            (_, false) => format!("{workers} workers, one beside the load"),
        };
        let seen = closed_loop(options, TITLE.name, &peers, Language::Http1, CONNECTIONS)?;
        all.extend(records(TITLE.name, &case, &seen));
    }
    Ok((TITLE, all))
}

//! The shield against what people put there today: `xdp-filter`, nftables, iptables.
//!
//! Twice: one packet run through the program again and again (`BPF_PROG_TEST_RUN`), which tells what
//! the program costs and nothing else; and a flood over a pair of virtual Ethernet devices into a
//! CPU of its own, which is what all of them can be compared by. There every packet, dropped or not,
//! has cost its sender a buffer, so the numbers say nothing about network cards.
//!
//! All subjects are up the whole time and are measured in turn.

mod edge;
mod fill;
mod flood;
mod live;
mod program;
mod result;
mod subject;

use anyhow::Result;

use crate::measure::Cpus;
use crate::report::{Record, Title};

pub(super) use edge::binary;

const TITLE: Title = Title {
    name: "shield",
    title: "the kernel program, per packet",
    about: "`deny`, `unguarded`, `guarded`, `banned`, `cidr10k` and those with a million bans or live sources: one packet \
            run through the program again and again (BPF_PROG_TEST_RUN). `veth`: the receiver's CPU \
            time for a packet of a flood over virtual Ethernet, where every packet has cost its sender \
            a buffer, so nothing follows for a network card. `live sources`: the program's own time in such a \
            flood, its table full of sources, against a thousand of them (`edge-1k`).",
};
/// Where the flood goes, and what the shield guards.
const PORT: u16 = 8080;

pub(super) fn measure(quick: bool) -> Result<(Title, Vec<Record>)> {
    let cpus = Cpus::claim(1)?;
    let mut results = program::measure(quick)?;
    results.extend(flood::measure(&cpus, quick)?);
    results.extend(live::measure(&cpus, quick)?);
    Ok((TITLE, result::records(&results)?))
}

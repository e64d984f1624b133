//! `shield`: the way of a packet.
//!
//! Parse; leave alone what is not for a guarded port; drop what comes from a banned source; drop
//! what exceeds the limits of its source; count the verdict.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use edge_common::{CONFIG_SLOTS, Family, ShieldConfig, Verdict};

use crate::maps::{ACTIVE, CONFIG, VERDICTS};
use crate::packet::Packet;
use crate::parse::{self, Protocol};
use crate::{bans, limits};

/// The entry point. `frags`: packets of several buffers are welcome, else drivers refuse the
/// program where the MTU is above a page.
#[xdp(frags)]
fn shield(ctx: XdpContext) -> u32 {
    let Some(config) = config() else {
        return XDP_PASS; // There are two slots and the index is masked: cannot happen.
    };
    // SAFETY: the kernel keeps the packet in place while the program runs.
    let packet = unsafe { Packet::new(ctx.data() as *const u8, ctx.data_end() as *const u8) };
    let (verdict, family) = judge(config, packet);
    count(verdict, family);
    if verdict.dropped() {
        XDP_DROP
    } else {
        XDP_PASS
    }
}

/// The slot in force. The proxy writes the other one and then the index, so that a packet sees one
/// configuration or the next, whole.
#[inline(always)]
fn config() -> Option<&'static ShieldConfig> {
    let active = *ACTIVE.get(0)?;
    CONFIG.get(active & (CONFIG_SLOTS - 1))
}

#[inline(always)]
fn judge(config: &ShieldConfig, packet: Packet<'_>) -> (Verdict, Family) {
    let segment = match parse::segment(packet, &config.ipv6_mask) {
        Ok(segment) => segment,
        Err(aside) => return aside,
    };
    let verdict = match parse::target(&segment, config) {
        // Whoever is banned gains nothing by hiding the port behind a heap of extension headers.
        Err(Verdict::Unparsed)
            if segment.protocol == Protocol::Hidden && bans::hold(&segment.source) =>
        {
            Verdict::Banned
        }
        Err(verdict) => verdict,
        Ok(_) if bans::hold(&segment.source) => Verdict::Banned,
        Ok(target) => limits::admit(config, &segment.source, target.opens),
    };
    (verdict, segment.family)
}

#[inline(always)]
fn count(verdict: Verdict, family: Family) {
    if let Some(packets) = VERDICTS.get_ptr_mut(verdict.counter(family)) {
        // SAFETY: this CPU's own counter, and XDP programs do not interrupt each other on a CPU.
        unsafe { *packets += 1 };
    }
}

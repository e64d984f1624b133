//! `shield`: the way of a packet.
//!
//! Parse; leave alone what is not for a guarded port; let in what is on the allow list; drop what
//! comes from a banned source or one on the deny list, what no honest host sends, and what exceeds
//! the limits; count the verdict.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use edge_common::{CONFIG_SLOTS, Cpu, Family, ShieldConfig, ShieldFlags, SourceKey, Verdict};

use crate::maps::{ACTIVE, CONFIG, CPUS};
use crate::packet::Packet;
use crate::parse::{self, Opens, Protocol};
use crate::{bans, evidence, limits, lists};

/// What was decided, and on what.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) family: Family,
    pub(crate) source: SourceKey,
    /// The number of the transport protocol; 0 hidden.
    pub(crate) protocol: u8,
    /// To which port; 0 hidden.
    pub(crate) port: u16,
}

/// The entry point. `frags`: packets of several buffers are welcome, else drivers refuse the
/// program where the MTU is above a page.
#[xdp(frags)]
fn shield(ctx: XdpContext) -> u32 {
    let (Some(config), Some(cpu)) = (config(), CPUS.get_ptr_mut(0)) else {
        return XDP_PASS; // There are two slots and the index is masked: cannot happen.
    };
    // SAFETY: this CPU's own, and XDP programs do not interrupt each other on a CPU.
    let cpu = unsafe { &mut *cpu };
    // SAFETY: the kernel keeps the packet in place while the program runs.
    let packet = unsafe { Packet::new(ctx.data() as *const u8, ctx.data_end() as *const u8) };
    let judged = judge(config, packet, cpu);

    let watched = config.flags.any(ShieldFlags::MONITOR);
    let dropped = judged.verdict.dropped();
    let counters = match dropped && watched {
        true => &mut cpu.watched,
        false => &mut cpu.packets,
    };
    if let Some(packets) = counters.get_mut(judged.verdict.counter(judged.family)) {
        *packets += 1;
    }
    if !dropped {
        return XDP_PASS;
    }
    evidence::report(config, cpu, &judged, watched);
    if watched { XDP_PASS } else { XDP_DROP }
}

/// The slot in force. The proxy writes the other one and then the index, so that a packet sees one
/// configuration or the next, whole.
#[inline(always)]
fn config() -> Option<&'static ShieldConfig> {
    let active = *ACTIVE.get(0)?;
    CONFIG.get(active & (CONFIG_SLOTS - 1))
}

#[inline(always)]
fn judge(config: &ShieldConfig, packet: Packet<'_>, cpu: &mut Cpu) -> Judged {
    let mut judged = Judged {
        verdict: Verdict::Unparsed,
        family: Family::Other,
        source: SourceKey::from_v4([0; 4]),
        protocol: 0,
        port: 0,
    };
    let segment = match parse::segment(packet, &config.ipv6_mask) {
        Ok(segment) => segment,
        Err((verdict, family)) => {
            return Judged {
                verdict,
                family,
                ..judged
            };
        }
    };
    judged.family = segment.family;
    judged.source = segment.source;
    judged.protocol = segment.protocol.number();
    judged.verdict = match parse::port(&segment, config) {
        Err(verdict) => verdict,
        Ok(port) => {
            judged.port = port;
            guard(config, &segment, cpu)
        }
    };
    judged
}

/// The verdict on what is for a guarded port, or may be: whoever hides the port behind a heap of
/// extension headers gains nothing by it.
#[inline(always)]
fn guard(config: &ShieldConfig, segment: &parse::Segment<'_>, cpu: &mut Cpu) -> Verdict {
    if lists::allow(config, segment) {
        return Verdict::Allowed;
    }
    if bans::hold(&segment.source, cpu) {
        return Verdict::Banned;
    }
    if lists::deny(config, segment) {
        return Verdict::Denied;
    }
    if config.flags.any(ShieldFlags::ONLY) {
        return Verdict::NotAllowed;
    }
    if segment.protocol == Protocol::Hidden {
        return match limits::admit(config, &segment.source, Opens::Nothing) {
            Verdict::Passed => Verdict::Unparsed,
            verdict => verdict,
        };
    }
    match parse::opens(segment, config) {
        Ok(opens) => limits::admit(config, &segment.source, opens),
        Err(verdict) => verdict,
    }
}

//! `shield`: the way of a packet.
//!
//! Parse; leave alone what is not for a guarded port; let in what is on the allow list; drop what
//! comes from a banned source or one on the deny list, what no honest host sends, and what exceeds
//! the limits; count the verdict.

use core::hint::black_box;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use edge_common::{CONFIG_SLOTS, Cpu, Family, ShieldConfig, ShieldFlags, Verdict};

use crate::maps::{CONFIG, CPUS};
use crate::packet::Packet;
use crate::parse::{self, Opens, Protocol, Segment};
use crate::{bans, evidence, limits, lists};

/// The entry point. `frags`: packets of several buffers are welcome, else drivers refuse the
/// program where the MTU is above a page.
#[xdp(frags)]
fn shield(ctx: XdpContext) -> u32 {
    let (Some(config), Some(cpu)) = (config(), CPUS.get_ptr_mut(0)) else {
        return XDP_PASS; // Both indices are in bounds: cannot happen.
    };
    // SAFETY: this CPU's own, and XDP programs do not interrupt each other on a CPU.
    let cpu = unsafe { &mut *cpu };
    // SAFETY: the kernel keeps the packet in place while the program runs.
    let packet = unsafe { Packet::new(ctx.data() as *const u8, ctx.data_end() as *const u8) };

    let segment = match parse::segment(packet, &config.ipv6_mask) {
        Ok(segment) => segment,
        Err((verdict, family)) => return pass(cpu, verdict, family),
    };
    let port = match parse::port(&segment, config) {
        Ok(port) => port,
        Err(verdict) => return pass(cpu, verdict, segment.family),
    };
    let verdict = guard(config, &segment, cpu);
    if !verdict.dropped() {
        return pass(cpu, verdict, segment.family);
    }
    drop(config, cpu, &segment, port, verdict)
}

#[inline(always)]
fn pass(cpu: &mut Cpu, verdict: Verdict, family: Family) -> u32 {
    if let Some(packets) = cpu.packets.get_mut(verdict.counter(family)) {
        *packets += 1;
    }
    XDP_PASS
}

/// Counts and reports a packet that is dropped, or would be.
#[inline(always)]
fn drop(
    config: &ShieldConfig,
    cpu: &mut Cpu,
    segment: &Segment<'_>,
    port: u16,
    verdict: Verdict,
) -> u32 {
    let watched = config.flags.any(ShieldFlags::MONITOR);
    let counters = match watched {
        true => &mut cpu.watched,
        false => &mut cpu.packets,
    };
    // The family is a byte of the stack by now: the compiler knows what it can be, the verifier wants
    // to see it compared.
    let counter = black_box(verdict.counter(segment.family));
    if let Some(packets) = counters.get_mut(counter) {
        *packets += 1;
    }
    evidence::report(config, cpu, segment, port, (verdict, watched));
    if watched { XDP_PASS } else { XDP_DROP }
}

/// The slot in force. The proxy writes the other one and then the index, so that a packet sees one
/// configuration or the next, whole.
#[inline(always)]
fn config() -> Option<&'static ShieldConfig> {
    let configs = CONFIG.get(0)?;
    // SAFETY: an aligned u64 of a map value; volatile because the proxy writes it.
    let active = unsafe { (&raw const configs.active).read_volatile() };
    configs.slots.get(active as usize & (CONFIG_SLOTS - 1))
}

/// The verdict on what is for a guarded port, or may be: whoever hides the port behind a heap of
/// extension headers gains nothing by it.
#[inline(always)]
fn guard(config: &ShieldConfig, segment: &Segment<'_>, cpu: &mut Cpu) -> Verdict {
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
        if segment.is_first_fragment && config.flags.any(ShieldFlags::NO_FRAGMENTS) {
            return Verdict::FragmentRefused;
        }
        // It may ask for a connection.
        return match limits::admit(config, &segment.source, Opens::Connection) {
            Verdict::Passed => Verdict::Unparsed,
            verdict => verdict,
        };
    }
    match parse::opens(segment, config) {
        Ok(opens) => limits::admit(config, &segment.source, opens),
        Err(verdict) => verdict,
    }
}

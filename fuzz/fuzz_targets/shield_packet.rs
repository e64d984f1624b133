//! The kernel program's parser against the model of the shield.

#![no_main]
#![allow(dead_code, unused_imports, reason = "modules of other crates, of which this needs a part")]

#[path = "../../edge/src/kernel/model/mod.rs"]
mod model;
#[path = "../../edge-ebpf/src/packet.rs"]
mod packet;
#[path = "../../edge-ebpf/src/parse/mod.rs"]
mod parse;

use edge_common::{Family, Ipv6Mask, PortSet, ShieldConfig, ShieldFlags, Verdict};
use libfuzzer_sys::fuzz_target;

use model::{Model, Rules};
use packet::Packet;
use parse::Protocol;

const PORT: u16 = 443;

fuzz_target!(|input: (bool, &[u8])| {
    let (drop_fragments, frame) = input;
    let expected = Model::new(Rules {
        tcp: [PORT].into(),
        udp: [PORT].into(),
        ipv6_prefix: 64,
        drop_fragments,
        versions: 1,
        ..Rules::default()
    })
    .judge(frame);
    // On the heap and of this length, so that a sanitizer sees every byte beyond.
    let frame: Box<[u8]> = frame.into();
    assert_eq!(judge(&frame, drop_fragments), expected, "{frame:?}");
});

/// What the program does up to its maps.
fn judge(frame: &[u8], drop_fragments: bool) -> (Verdict, Family) {
    let mut ports = PortSet::EMPTY;
    ports.insert(PORT);
    let config = ShieldConfig {
        tcp: ports,
        udp: ports,
        flags: match drop_fragments {
            true => ShieldFlags::NO_FRAGMENTS,
            false => ShieldFlags::default(),
        },
        ..ShieldConfig::default()
    };
    let range = frame.as_ptr_range();
    // SAFETY: the range is that of a slice that outlives the packet.
    let packet = unsafe { Packet::new(range.start, range.end) };
    let segment = match parse::segment(packet, &Ipv6Mask::default()) {
        Ok(segment) => segment,
        Err(aside) => return aside,
    };
    let verdict = match parse::port(&segment, &config) {
        Err(verdict) => verdict,
        Ok(_) if segment.protocol == Protocol::Hidden => Verdict::Unparsed,
        Ok(_) => match parse::opens(&segment, &config) {
            Err(verdict) => verdict,
            Ok(_) => Verdict::Passed,
        },
    };
    (verdict, segment.family)
}

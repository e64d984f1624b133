//! The allow and deny lists, as the program reads them. What is empty is not looked at.

use aya_ebpf::btf_maps::LpmTrie;
use aya_ebpf::btf_maps::lpm_trie::Key;
use edge_common::{Family, ListOrigin, ListV4, ListV6, ShieldConfig, ShieldFlags, TRIE_MAX};

use crate::maps::{ALLOW_V4, ALLOW_V6, DENY_V4, DENY_V6};
use crate::parse::Segment;

type TrieV4 = LpmTrie<ListV4, ListOrigin, { TRIE_MAX as usize }>;
type TrieV6 = LpmTrie<ListV6, ListOrigin, { TRIE_MAX as usize }>;

/// On the stack the verifier wants every word in its place, but the type of a key has no alignment.
#[repr(C, align(8))]
struct KeyV4(Key<ListV4>);

#[repr(C, align(8))]
struct KeyV6 {
    _pad: u32,
    key: Key<ListV6>,
}

/// Whether the source is let in whatever else is said.
#[inline(always)]
pub(crate) fn allow(config: &ShieldConfig, segment: &Segment<'_>) -> bool {
    let flags = (ShieldFlags::ALLOW_V4, ShieldFlags::ALLOW_V6);
    has(config, segment, flags, (&ALLOW_V4, &ALLOW_V6))
}

/// Whether the source is not let in.
#[inline(always)]
pub(crate) fn deny(config: &ShieldConfig, segment: &Segment<'_>) -> bool {
    let flags = (ShieldFlags::DENY_V4, ShieldFlags::DENY_V6);
    has(config, segment, flags, (&DENY_V4, &DENY_V6))
}

#[inline(always)]
fn has(
    config: &ShieldConfig,
    segment: &Segment<'_>,
    flags: (ShieldFlags, ShieldFlags),
    (v4, v6): (&TrieV4, &TrieV6),
) -> bool {
    let [high, low] = segment.address;
    match segment.family {
        Family::V4 if config.flags.any(flags.0) => {
            let [_, _, _, _, a, b, c, d] = low.to_ne_bytes();
            let key = KeyV4(Key::new(32, [a, b, c, d]));
            v4.get(&key.0).is_some()
        }
        Family::V6 if config.flags.any(flags.1) => {
            let mut address = [0; 16];
            address[..8].copy_from_slice(&high.to_ne_bytes());
            address[8..].copy_from_slice(&low.to_ne_bytes());
            let key = KeyV6 {
                _pad: 0,
                key: Key::new(128, address),
            };
            v6.get(&key.key).is_some()
        }
        _ => false,
    }
}

//! The maps: everything the programs and the proxy share.

use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use aya_ebpf::btf_maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf};
use aya_ebpf::macros::btf_map;
use edge_common::{
    BAN_FILTER_WORDS, BAN_MEMORY, BANS_MAX, BUCKETS, Ban, BanSeen, Bucket, Cpu, EVIDENCE_BYTES,
    Evidence, KNOWN_MAX, Known, ListOrigin, ListV4, ListV6, OFFENDERS_MAX, Offender, REASONS_MAX,
    Reason, SHARED, Shared, ShieldConfigs, SourceKey, TRIE_MAX,
};

/// The configuration in force and the one being written.
#[btf_map]
pub(crate) static CONFIG: Array<ShieldConfigs, 1> = Array::new();

/// Who is banned. Written by the proxy alone.
#[btf_map]
pub(crate) static BANS: HashMap<
    SourceKey,
    Ban,
    { BANS_MAX as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

/// Which sources may be among them, a bit each, coarsely and finely. Written by the proxy alone.
#[btf_map]
pub(crate) static BAN_FILTER: Array<u64, { BAN_FILTER_WORDS as usize }> = Array::new();

/// How often bans have come, grown or gone. Written by the proxy alone, after the table is.
#[btf_map]
pub(crate) static BANS_CHANGED: Array<u64, 1> = Array::new();

/// Whom each CPU has just looked up in the table of bans.
#[btf_map]
pub(crate) static BANS_SEEN: PerCpuArray<BanSeen, { BAN_MEMORY as usize }> = PerCpuArray::new();

/// Who is let in whatever else is said. Written by the proxy alone, as are all lists.
#[btf_map]
pub(crate) static ALLOW_V4: LpmTrie<ListV4, ListOrigin, { TRIE_MAX as usize }> = LpmTrie::new();

/// The same for IPv6.
#[btf_map]
pub(crate) static ALLOW_V6: LpmTrie<ListV6, ListOrigin, { TRIE_MAX as usize }> = LpmTrie::new();

/// Who is not let in.
#[btf_map]
pub(crate) static DENY_V4: LpmTrie<ListV4, ListOrigin, { TRIE_MAX as usize }> = LpmTrie::new();

/// The same for IPv6.
#[btf_map]
pub(crate) static DENY_V6: LpmTrie<ListV6, ListOrigin, { TRIE_MAX as usize }> = LpmTrie::new();

/// The limiter's state of each source. What could be mapped begins with a page, so that a bucket is a
/// line of the cache and not two halves; nobody maps it.
#[btf_map]
pub(crate) static SOURCES: Array<Bucket, { BUCKETS as usize }, { BPF_F_MMAPABLE as usize }> =
    Array::new();

/// The limiter's state of all sources together.
#[btf_map]
pub(crate) static TOGETHER: Array<Shared, { SHARED as usize }> = Array::new();

/// Who has completed a handshake. Written by the proxy alone.
#[btf_map]
pub(crate) static KNOWN: LruHashMap<SourceKey, Known, { KNOWN_MAX as usize }> = LruHashMap::new();

/// Each CPU's counters.
#[btf_map]
pub(crate) static CPUS: PerCpuArray<Cpu, 1> = PerCpuArray::new();

/// Samples of what is dropped.
#[btf_map]
pub(crate) static EVIDENCE: RingBuf<Evidence, { EVIDENCE_BYTES as usize }> = RingBuf::new();

/// Who was banned how often. For the proxy alone.
#[btf_map]
pub(crate) static OFFENDERS: HashMap<
    SourceKey,
    Offender,
    { OFFENDERS_MAX as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

/// Why operators have banned somebody. For the proxy alone.
#[btf_map]
pub(crate) static REASONS: HashMap<
    SourceKey,
    Reason,
    { REASONS_MAX as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

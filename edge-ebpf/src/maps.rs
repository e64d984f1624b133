//! The maps: everything the programs and the proxy share.

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::btf_maps::{Array, HashMap, PerCpuArray};
use aya_ebpf::macros::btf_map;
use edge_common::{
    BANS_MAX, BUCKETS, Ban, Bucket, CONFIG_SLOTS, COUNTERS, ShieldConfig, SourceKey,
};

/// The configuration in force and the one being written.
#[btf_map]
pub(crate) static CONFIG: Array<ShieldConfig, { CONFIG_SLOTS as usize }> = Array::new();

/// Which of the two is in force.
#[btf_map]
pub(crate) static ACTIVE: Array<u32, 1> = Array::new();

/// Who is banned. Written by the proxy alone.
#[btf_map]
pub(crate) static BANS: HashMap<
    SourceKey,
    Ban,
    { BANS_MAX as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

/// The limiter's state of each source.
#[btf_map]
pub(crate) static SOURCES: Array<Bucket, { BUCKETS as usize }> = Array::new();

/// Packets by verdict and family.
#[btf_map]
pub(crate) static VERDICTS: PerCpuArray<u64, { COUNTERS as usize }> = PerCpuArray::new();

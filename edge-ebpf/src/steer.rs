//! `steer`: which worker's socket a packet or a connection goes to (`BPF_PROG_TYPE_SK_REUSEPORT`).
//!
//! `quic` reads the connection ID of a datagram: the worker that issued it holds the connection,
//! whatever address the client has come to. A datagram whose ID nobody here issued, the first of a
//! connection above all, goes by the kernel's hash of the addresses. `tcp` takes the worker of the
//! CPU that the first packet came in on: from the network card to the answer everything happens
//! there. Whatever goes wrong in here leaves the choice to the kernel.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![allow(unsafe_code, reason = "packets are raw kernel memory")]

#[cfg(target_arch = "bpf")]
mod runtime;

#[cfg(target_arch = "bpf")]
mod program {
    use aya_ebpf::EbpfContext as _;
    use aya_ebpf::btf_maps::{Array, ReusePortSockArray};
    use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_skb_load_bytes};
    use aya_ebpf::macros::{btf_map, sk_reuseport};
    use aya_ebpf::programs::SkReuseportContext;
    use edge_common::{CONNECTION_ID_BYTES, STEER_CPUS, STEER_WORKERS, SteerConfig};

    /// Leaves a packet that no socket was chosen for to the kernel.
    const SK_PASS: u32 = 1;

    /// The workers' sockets, by number.
    #[btf_map]
    static SOCKETS: ReusePortSockArray<{ STEER_WORKERS }> = ReusePortSockArray::new();

    #[btf_map]
    static CONFIG: Array<SteerConfig, 1> = Array::new();

    /// The worker of each CPU, counted from one; zero for none.
    #[btf_map]
    static WORKERS: Array<u32, { STEER_CPUS }> = Array::new();

    #[sk_reuseport]
    fn quic(ctx: SkReuseportContext) -> u32 {
        if let Some(config) = CONFIG.get(0) {
            let worker = match owner(&ctx, config) {
                Some(worker) => worker,
                // By the hash, but among the workers of this process alone.
                None if config.workers > 0 => ctx.hash() % config.workers,
                None => return SK_PASS,
            };
            // Fails where the worker has gone.
            let _ = SOCKETS.select_reuseport(&ctx, worker);
        }
        SK_PASS
    }

    #[sk_reuseport]
    fn tcp(ctx: SkReuseportContext) -> u32 {
        // SAFETY: the helper has no preconditions.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        if let Some(&worker) = WORKERS.get(cpu)
            && worker > 0
        {
            let _ = SOCKETS.select_reuseport(&ctx, worker - 1);
        }
        SK_PASS
    }

    const UDP_HEADER: u32 = 8;
    /// Flags, version and the length of the ID, before the ID of a long header (RFC 8999 §5.1).
    const LONG: usize = 6;
    /// Flags, before the ID of a short header (RFC 9000 §17.3).
    const SHORT: usize = 1;

    #[inline(always)]
    fn owner(ctx: &SkReuseportContext, config: &SteerConfig) -> Option<u32> {
        let mut start = [0u8; LONG + CONNECTION_ID_BYTES];
        // SAFETY: the context is the kernel's, and the buffer is as long as is said. The data
        // begins with the UDP header.
        let read = unsafe {
            bpf_skb_load_bytes(
                ctx.as_ptr(),
                UDP_HEADER,
                start.as_mut_ptr().cast(),
                start.len() as u32,
            )
        };
        // Shorter than any packet of QUIC.
        if read != 0 {
            return None;
        }
        let is_long = start[0] & 0x80 != 0;
        if is_long && usize::from(start[LONG - 1]) != CONNECTION_ID_BYTES {
            return None;
        }
        let mut id = [0u8; CONNECTION_ID_BYTES];
        match is_long {
            true => id.copy_from_slice(&start[LONG..LONG + CONNECTION_ID_BYTES]),
            false => id.copy_from_slice(&start[SHORT..SHORT + CONNECTION_ID_BYTES]),
        }
        let owner = config.key.open(&id)?;
        let is_ours =
            owner.generation == config.generation && u32::from(owner.worker) < config.workers;
        is_ours.then_some(u32::from(owner.worker))
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}

//! The compiled kernel program in this binary, and getting it into the kernel.

use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray, RingBuf};
use aya::programs::{ProgramError, Xdp};
use aya::util::KernelVersion;
use aya::{Ebpf, EbpfError, EbpfLoader};
use caps::{CapSet, Capability};
use edge_common::{Ban, Bucket, Cpu, Known, Shared, ShieldConfigs, SourceKey};

use super::ShieldError;
use super::error::errno;
use super::memory::Memory;
use super::pin::{self, PinDirectory, Version};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/shield.o"));

/// From 5.19 on a process without capabilities may use maps it has open.
const KERNEL_MIN: KernelVersion = KernelVersion::new(5, 19, 0);

/// The program in the kernel; dropping it unloads it, unless it is attached.
pub(super) struct Program(Ebpf);

/// The ban table, open.
pub(super) type BanMap = HashMap<MapData, SourceKey, Ban>;

/// What stands in front of it, open: the filter, and how often bans have changed.
pub(super) struct BanFront {
    pub(super) filter: Array<MapData, u64>,
    pub(super) changed: Array<MapData, u64>,
}

/// A list's tries, open.
pub(super) struct Tries {
    pub(super) v4: MapData,
    pub(super) v6: MapData,
}

/// The other maps, open. Their names are those of the statics in `edge-ebpf/src/maps.rs`.
pub(super) struct Maps {
    pub(super) config: Array<MapData, ShieldConfigs>,
    pub(super) sources: Array<MapData, Bucket>,
    pub(super) together: Array<MapData, Shared>,
    pub(super) known: HashMap<MapData, SourceKey, Known>,
    pub(super) cpus: PerCpuArray<MapData, Cpu>,
    pub(super) evidence: RingBuf<MapData>,
}

/// Everything that was loaded.
pub(super) struct Loaded {
    pub(super) program: Program,
    pub(super) bans: BanMap,
    pub(super) ban_front: BanFront,
    pub(super) allow: Tries,
    pub(super) deny: Tries,
    pub(super) memory: Memory,
    pub(super) maps: Maps,
    #[cfg(feature = "bpf-log")]
    pub(super) log: super::log::ProgramLog,
    /// Where they have names.
    pub(super) version: Option<Version>,
}

/// Loads the program, attached to nothing; the verifier looks at it now. With a directory, it uses
/// the maps that an earlier run left there, or leaves its own. There is room for `bans_max` bans.
pub(super) fn load(directory: Option<&PinDirectory>, bans_max: u32) -> Result<Loaded, ShieldError> {
    if KernelVersion::current().is_ok_and(|running| running < KERNEL_MIN) {
        let running = nix::sys::utsname::uname()
            .map(|name| name.release().to_string_lossy().into_owned())
            .unwrap_or_default();
        return Err(ShieldError::OldKernel { running });
    }
    let load = |loader: &mut EbpfLoader<'_>| {
        let loaded = loader.map_max_entries("BANS", bans_max).load(OBJECT);
        loaded.map_err(|error| refused("maps", error))
    };
    let mut ebpf = load(&mut EbpfLoader::new())?;
    let version = match directory {
        Some(directory) => {
            Some(
                Version::adopt(directory, &mut ebpf).map_err(|cause| ShieldError::Pin {
                    path: directory.path().to_owned(),
                    cause,
                })?,
            )
        }
        None => None,
    };
    if let Some(version) = version.as_ref().filter(|version| version.is_old()) {
        let names = pin::names(&mut ebpf);
        let mut loader = EbpfLoader::new();
        version.maps(&mut loader, &names);
        ebpf = load(&mut loader)?;
    }
    #[cfg(feature = "bpf-log")]
    let log = super::log::ProgramLog::of(&mut ebpf)?;
    let mut program = Program(ebpf);
    program
        .xdp()
        .load()
        .map_err(|error| refused("program", error.into()))?;
    let ebpf = &mut program.0;
    Ok(Loaded {
        bans: map(ebpf, "BANS")?,
        ban_front: BanFront {
            filter: map(ebpf, "BAN_FILTER")?,
            changed: map(ebpf, "BANS_CHANGED")?,
        },
        allow: Tries {
            v4: trie(ebpf, "ALLOW_V4"),
            v6: trie(ebpf, "ALLOW_V6"),
        },
        deny: Tries {
            v4: trie(ebpf, "DENY_V4"),
            v6: trie(ebpf, "DENY_V6"),
        },
        memory: Memory {
            offenders: map(ebpf, "OFFENDERS")?,
            reasons: map(ebpf, "REASONS")?,
        },
        maps: Maps {
            config: map(ebpf, "CONFIG")?,
            sources: map(ebpf, "SOURCES")?,
            together: map(ebpf, "TOGETHER")?,
            known: map(ebpf, "KNOWN")?,
            cpus: map(ebpf, "CPUS")?,
            evidence: map(ebpf, "EVIDENCE")?,
        },
        program,
        #[cfg(feature = "bpf-log")]
        log,
        version,
    })
}

impl Program {
    /// To attach or test it.
    pub(super) fn xdp(&mut self) -> &mut Xdp {
        self.0
            .program_mut("shield")
            .and_then(|program| program.try_into().ok())
            .expect("build.rs built the object with an XDP program of this name")
    }
}

fn map<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, ShieldError>
where
    M: TryFrom<Map, Error = aya::maps::MapError>,
{
    let map = ebpf
        .take_map(name)
        .expect("build.rs built the object with a map of this name");
    M::try_from(map).map_err(|error| refused(name, error.into()))
}

fn trie(ebpf: &mut Ebpf, name: &'static str) -> MapData {
    match ebpf.take_map(name) {
        Some(Map::LpmTrie(map)) => map,
        _ => panic!("build.rs built the object with a trie `{name}`"),
    }
}

fn refused(part: &'static str, error: EbpfError) -> ShieldError {
    match errno(&error) {
        Some(libc::EPERM | libc::EACCES)
            if !is_verdict_of_verifier(&error) || !may_reckon_with_addresses() =>
        {
            ShieldError::NoPermission {
                action: format!("load the shield's {part}"),
            }
        }
        Some(libc::ENOSYS) => ShieldError::NoBpf,
        _ => ShieldError::Load {
            part,
            cause: error.into(),
        },
    }
}

/// Whether the verifier lets this thread's programs reckon with addresses in their maps: of others it
/// wants proof that no processor that guesses wrong could leak memory by it.
fn may_reckon_with_addresses() -> bool {
    [Capability::CAP_PERFMON, Capability::CAP_SYS_ADMIN]
        .into_iter()
        .any(|right| caps::has_cap(None, CapSet::Effective, right).unwrap_or(true))
}

/// The verifier's "no" is EACCES too, but comes with its reasons.
fn is_verdict_of_verifier(error: &EbpfError) -> bool {
    matches!(
        error,
        EbpfError::ProgramError(ProgramError::LoadError { verifier_log, .. })
            if !verifier_log.to_string().trim().is_empty()
    )
}

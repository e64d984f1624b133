//! The shield as the control plane holds it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use aya::maps::MapError;
use aya::programs::ProgramError;
use edge_common::{BUCKETS, Bucket, CONFIG_SLOTS, Family, ShieldConfig, Verdict};

use super::attach::{self, Attachment};
use super::bans::Bans;
use super::object::{self, Maps, Program};
use super::pin::{PinDirectory, Version};
use super::settings::{GuardedPort, shield_config};
use super::{Ban, ShieldError, interface};
use crate::clock::monotonic_ns;
use crate::config::{self, ShieldMode};

/// The XDP program.
///
/// Making one takes CAP_BPF and CAP_NET_ADMIN; everything else goes through maps that are then
/// open and works without any privilege. It may move between threads.
///
/// Dropping it detaches the program, unless it is pinned ([`Shield::pinned`]): then program, bans
/// and lists stay in force until [`detach`](super::detach) removes them.
pub struct Shield {
    attachments: Vec<Attachment>,
    /// Interfaces that it is not attached to, and why.
    missing: Vec<Missing>,
    asked: Asked,
    settings: ShieldConfig,
    /// The slot of the configuration map in force.
    slot: u32,
    maps: Maps,
    bans: Bans,
    program: Program,
    pins: Option<Pins>,
    /// Why nothing is pinned although it should be.
    unpinned: Option<ShieldError>,
}

/// What was asked for at the start and cannot change later.
#[derive(PartialEq, Eq)]
struct Asked {
    interfaces: Vec<String>,
    mode: ShieldMode,
}

/// Where maps and links have names, locked.
struct Pins {
    version: Version,
    directory: PinDirectory,
}

/// An interface that should be protected and is not.
#[derive(Debug)]
pub struct Missing {
    /// Its name.
    pub interface: String,
    /// Why; [`ShieldError::NoInterface`] if it is not there (yet).
    pub error: ShieldError,
}

impl Shield {
    /// Loads the program, configures it for the ports `edge` listens on, and attaches it to the
    /// configured interfaces or, if there are none, to that of the default route. What an earlier
    /// run has left attached is taken over without a gap.
    ///
    /// An interface that is not there yet is waited for ([`Shield::missing`]), unless the shield is
    /// required: then it is attached to all interfaces or none.
    pub fn attach(config: &config::Shield, ports: &[GuardedPort]) -> Result<Shield, ShieldError> {
        if config.mode == ShieldMode::Off {
            return Err(ShieldError::Off);
        }
        let interfaces = if config.interfaces.is_empty() {
            interface::of_default_route()?
        } else {
            config.interfaces.clone()
        };
        let (directory, unpinned) = match config.pin.as_deref().map(PinDirectory::make) {
            None => (None, None),
            Some(Ok(directory)) => (Some(directory), None),
            Some(Err(error @ ShieldError::InUse { .. })) => return Err(error),
            // It protects all the same, as long as the process lives.
            Some(Err(error)) => (None, Some(error)),
        };
        let mut shield = Shield::load_in(directory, config, ports)?;
        shield.unpinned = unpinned;
        shield.attach_all(&interfaces, config)?;
        Ok(shield)
    }

    /// Everything but attaching and pinning.
    #[cfg(test)]
    pub(super) fn load(
        config: &config::Shield,
        ports: &[GuardedPort],
    ) -> Result<Shield, ShieldError> {
        Shield::load_in(None, config, ports)
    }

    fn load_in(
        directory: Option<PinDirectory>,
        config: &config::Shield,
        ports: &[GuardedPort],
    ) -> Result<Shield, ShieldError> {
        let seed = RandomState::new().build_hasher().finish();
        // Before anything of an earlier run is touched.
        shield_config(config, ports, seed)?;
        let (program, bans, maps, version) = object::load(directory.as_ref())?;
        let slot = maps
            .active
            .get(&0, 0)
            .map_err(|error| inaccessible("ACTIVE", error))?
            % CONFIG_SLOTS;
        // All zero in maps that are new; zero is no seed.
        let found = maps
            .config
            .get(&slot, 0)
            .map_err(|error| inaccessible("CONFIG", error))?;
        let (found, seed) = match found.seed {
            0 => (ShieldConfig::default(), seed.max(1)),
            // With another seed, every source would start anew.
            seed => (found, seed),
        };
        let mut shield = Shield {
            attachments: Vec::new(),
            missing: Vec::new(),
            asked: asked(config),
            bans: Bans::new(bans, found.ipv6_mask)?,
            settings: found,
            slot,
            maps,
            program,
            pins: directory
                .zip(version)
                .map(|(directory, version)| Pins { version, directory }),
            unpinned: None,
        };
        shield.install(shield_config(config, ports, seed)?)?;
        if let Some(pins) = &shield.pins {
            for old in pins.version.of_others("BANS") {
                shield.bans.carry(&old)?;
            }
        }
        Ok(shield)
    }

    fn attach_all(
        &mut self,
        interfaces: &[String],
        config: &config::Shield,
    ) -> Result<(), ShieldError> {
        let program = self.program.xdp().fd().map_err(unloaded)?.as_fd();
        if let Some(Pins { version, directory }) = &mut self.pins {
            let refused = |cause| ShieldError::Pin {
                path: directory.path().to_owned(),
                cause,
            };
            self.attachments =
                attach::take_over(program, interfaces, config.mode, version).map_err(refused)?;
            version.remove_others().map_err(refused)?;
        }
        let version = self.pins.as_ref().map(|pins| &pins.version);
        for interface in interfaces {
            if self
                .attachments
                .iter()
                .any(|found| found.interface() == interface)
            {
                continue;
            }
            match attach::attach(program, interface, config.mode, version) {
                Ok(attachment) => self.attachments.push(attachment),
                Err(error) if config.required => return Err(error),
                Err(error) => self.missing.push(Missing {
                    interface: interface.clone(),
                    error,
                }),
            }
        }
        let hopeless =
            |missing: &Missing| !matches!(missing.error, ShieldError::NoInterface { .. });
        if self.attachments.is_empty() && self.missing.iter().all(hopeless) {
            return Err(self.missing.swap_remove(0).error);
        }
        Ok(())
    }

    /// The directory in which maps and links have names: the shield outlives the process.
    pub fn pinned(&self) -> Option<&Path> {
        self.pins.as_ref().map(|pins| pins.directory.path())
    }

    /// Maps and links of an earlier run were taken over.
    pub fn is_takeover(&self) -> bool {
        self.pins.as_ref().is_some_and(|pins| pins.version.is_old())
    }

    /// Why nothing is pinned although the configuration names a directory.
    pub fn unpinned(&self) -> Option<&ShieldError> {
        self.unpinned.as_ref()
    }

    /// The interfaces it should protect and does not.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Takes over a new configuration, between one packet and the next. Bans stay; if a limit
    /// changed, sources start anew with a full burst.
    ///
    /// Interfaces and mode cannot change, that is [`ShieldError::NeedsRestart`] and changes nothing.
    pub fn apply(
        &mut self,
        config: &config::Shield,
        ports: &[GuardedPort],
    ) -> Result<(), ShieldError> {
        let asked = asked(config);
        if asked.interfaces != self.asked.interfaces {
            return Err(ShieldError::NeedsRestart { key: "interfaces" });
        }
        if asked.mode != self.asked.mode {
            return Err(ShieldError::NeedsRestart { key: "mode" });
        }
        self.install(shield_config(config, ports, self.settings.seed)?)
    }

    fn install(&mut self, settings: ShieldConfig) -> Result<(), ShieldError> {
        let slot = (self.slot + 1) % CONFIG_SLOTS;
        self.maps
            .config
            .set(slot, settings, 0)
            .map_err(|error| inaccessible("CONFIG", error))?;
        self.maps
            .active
            .set(0, slot, 0)
            .map_err(|error| inaccessible("ACTIVE", error))?;
        self.slot = slot;
        let old = std::mem::replace(&mut self.settings, settings);

        self.bans.set_mask(settings.ipv6_mask)?;
        // A state is a point in time reckoned with the old limit: under a stricter one that is
        // gone, it could be hours ahead.
        let is_first = old == ShieldConfig::default();
        let limits = |settings: &ShieldConfig| (settings.packets, settings.connections);
        if !is_first && limits(&old) != limits(&settings) {
            self.forget_sources()?;
        }
        Ok(())
    }

    fn forget_sources(&mut self) -> Result<(), ShieldError> {
        let nobody = Bucket::default();
        for bucket in 0..BUCKETS {
            self.maps
                .sources
                .set(bucket, nobody, 0)
                .map_err(|error| inaccessible("SOURCES", error))?;
        }
        Ok(())
    }

    /// Drops everything from an address to guarded ports for so long; a ban that already lasts
    /// longer stays as it is. An IPv6 address stands for its prefix (`ipv6_prefix`).
    ///
    /// Any address can be banned, the operator's own and this machine's too.
    pub fn ban(&mut self, addr: IpAddr, duration: Duration) -> Result<(), ShieldError> {
        self.bans.insert(addr, duration, monotonic_ns())
    }

    /// Lets an address through again; whether it was banned.
    pub fn unban(&mut self, addr: IpAddr) -> Result<bool, ShieldError> {
        self.bans.remove(addr, monotonic_ns())
    }

    /// The bans in force, those that expire first first.
    pub fn bans(&self) -> Vec<Ban> {
        self.bans.list(monotonic_ns())
    }

    /// Removes expired bans from the table, which makes room; they have no effect any more. How
    /// many. The work of one call is bounded to some milliseconds; once a second is often enough.
    pub fn sweep(&mut self) -> Result<usize, ShieldError> {
        self.bans.sweep(monotonic_ns())
    }

    /// Packets by verdict and family since the start, over all CPUs; every combination, in the
    /// order of [`Verdict::ALL`].
    pub fn verdicts(&self) -> Result<Vec<(Verdict, Family, u64)>, ShieldError> {
        let mut counts = Vec::new();
        for verdict in Verdict::ALL {
            for family in Family::ALL {
                let per_cpu = self
                    .maps
                    .verdicts
                    .get(&verdict.counter(family), 0)
                    .map_err(|error| inaccessible("VERDICTS", error))?;
                counts.push((verdict, family, per_cpu.iter().sum()));
            }
        }
        Ok(counts)
    }

    /// Where and how it is attached.
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    #[cfg(test)]
    pub(super) fn program(&mut self) -> &mut Program {
        &mut self.program
    }
}

fn asked(config: &config::Shield) -> Asked {
    Asked {
        interfaces: config.interfaces.clone(),
        mode: config.mode,
    }
}

fn unloaded(error: ProgramError) -> ShieldError {
    ShieldError::Load {
        part: "program",
        cause: error.into(),
    }
}

fn inaccessible(map: &'static str, error: MapError) -> ShieldError {
    ShieldError::Map {
        map,
        cause: error.into(),
    }
}

//! The shield as the control plane holds it.

mod configure;
mod report;
mod requests;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;

use aya::maps::MapError;
use aya::programs::ProgramError;
use edge_common::{BANS_MAX, CONFIG_SLOTS, Known, ListOrigin, ShieldConfig, SourceKey};

use super::attach::{self, Attachment};
use super::bans::Bans;
use super::lists::Lists;
use super::memory::Memory;
use super::object::{self, Maps, Program};
use super::pin::{OldMap, PinDirectory, Version};
use super::settings::{GuardedPort, shield_config};
use super::{ShieldError, interface};
use crate::cidr::{Cidr, ListUse};
use crate::clock::monotonic_ns;
use crate::config::{self, ShieldMode};

/// The XDP program.
///
/// Making one takes CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; everything else goes through maps that are then
/// open and works without any privilege. It may move between threads.
///
/// Dropping it detaches the program, unless it is pinned ([`Shield::pinned`]): then program, bans
/// and lists stay in force until [`detach`](super::detach) removes them.
pub struct Shield {
    pub(super) attachments: Vec<Attachment>,
    /// Interfaces that it is not attached to, and why.
    pub(super) missing: Vec<Missing>,
    asked: Asked,
    settings: ShieldConfig,
    /// Nobody but the allow list is to be let in, once it is written.
    only: bool,
    maps: Maps,
    bans: Bans,
    lists: Lists,
    memory: Memory,
    #[cfg(feature = "bpf-log")]
    log: super::log::ProgramLog,
    pub(super) program: Program,
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
        let mut shield = Shield::load_in(directory, BANS_MAX, config, ports)?;
        shield.unpinned = unpinned;
        match shield.attach_all(&interfaces, config) {
            Ok(()) => Ok(shield),
            Err(error) => {
                shield.withdraw();
                Err(error)
            }
        }
    }

    /// Everything but attaching and pinning.
    #[cfg(test)]
    pub(super) fn load(
        config: &config::Shield,
        ports: &[GuardedPort],
    ) -> Result<Shield, ShieldError> {
        Shield::load_in(None, BANS_MAX, config, ports)
    }

    /// The same with room for fewer bans.
    #[cfg(test)]
    pub(super) fn load_small(
        bans_max: u32,
        config: &config::Shield,
        ports: &[GuardedPort],
    ) -> Result<Shield, ShieldError> {
        Shield::load_in(None, bans_max, config, ports)
    }

    fn load_in(
        directory: Option<PinDirectory>,
        bans_max: u32,
        config: &config::Shield,
        ports: &[GuardedPort],
    ) -> Result<Shield, ShieldError> {
        let seed = RandomState::new().build_hasher().finish();
        // Before anything of an earlier run is touched.
        shield_config(config, ports, seed)?;
        let object::Loaded {
            program,
            bans,
            ban_front,
            allow,
            deny,
            memory,
            maps,
            #[cfg(feature = "bpf-log")]
            log,
            version,
        } = object::load(directory.as_ref(), bans_max)?;
        let configs = maps.config.get(&0, 0);
        let configs = configs.map_err(|error| inaccessible("CONFIG", error))?;
        // All zero in maps that are new; zero is no seed.
        let found = configs.slots[configs.active as usize % CONFIG_SLOTS];
        let (found, seed) = match found.seed {
            0 => (ShieldConfig::default(), seed.max(1)),
            // With another seed, every source would start anew.
            seed => (found, seed),
        };
        let mut shield = Shield {
            attachments: Vec::new(),
            missing: Vec::new(),
            asked: asked(config),
            bans: Bans::new(bans, ban_front, found.ipv6_mask)?,
            lists: Lists::new(allow, deny)?,
            memory,
            #[cfg(feature = "bpf-log")]
            log,
            only: config.only,
            settings: found,
            maps,
            program,
            pins: directory
                .zip(version)
                .map(|(directory, version)| Pins { version, directory }),
            unpinned: None,
        };
        shield.lists.want(&config.allow, &config.deny);
        while shield.lists.sync()? {}
        if let Some(pins) = &shield.pins {
            for (name, list) in LISTS {
                for old in pins.version.of_others(name) {
                    carry_list(&mut shield.lists, list, &old)?;
                }
            }
        }
        shield.install(shield_config(config, ports, seed)?)?;
        if let Some(pins) = &shield.pins {
            for old in pins.version.of_others("BANS") {
                shield.bans.carry(&old)?;
            }
            let [offenders, reasons] =
                ["OFFENDERS", "REASONS"].map(|name| pins.version.of_others(name));
            shield.memory.carry(&offenders, &reasons)?;
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
            // What is left there protects nobody any more.
            if let Err(error) = version.remove_others() {
                tracing::warn!(%error, "what an earlier layout of the shield has left stays behind");
            }
        }
        let version = self.pins.as_ref().map(|pins| pins.version.path());
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

    /// Takes back what only this start has made: maps and links that nobody uses would stay behind.
    fn withdraw(mut self) {
        self.attachments.clear();
        if let Some(Pins { version, directory }) = &self.pins
            && version.is_first()
        {
            // That it could not be attached is what matters.
            let _ = version.remove();
            let _ = std::fs::remove_dir(directory.path());
        }
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

    /// Remembers that a source has completed a handshake: when the ceiling on new connections is
    /// hit, it is served ahead of those that have not.
    pub fn known_good(&mut self, addr: IpAddr) -> Result<(), ShieldError> {
        let key = SourceKey::from_ip(addr, &self.settings.ipv6_mask);
        let since_ns = monotonic_ns();
        self.maps
            .known
            .insert(key, Known { since_ns }, 0)
            .map_err(|error| inaccessible("KNOWN", error))
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

impl Drop for Shield {
    /// A large trie that the kernel has to free whole keeps one of its CPUs busy for as long.
    fn drop(&mut self) {
        if self.pins.is_none() {
            self.attachments.drain(..).for_each(Attachment::detach);
            self.lists.empty();
        }
    }
}

fn asked(config: &config::Shield) -> Asked {
    Asked {
        interfaces: config.interfaces.clone(),
        mode: config.mode,
    }
}

/// The maps of lists, in every layout.
pub(super) const LISTS: [(&str, ListUse); 4] = [
    ("ALLOW_V4", ListUse::Allow),
    ("ALLOW_V6", ListUse::Allow),
    ("DENY_V4", ListUse::Deny),
    ("DENY_V6", ListUse::Deny),
];

/// Takes over what operators have put on a list; what the configuration had, it still has.
fn carry_list(lists: &mut Lists, list: ListUse, old: &OldMap) -> Result<(), ShieldError> {
    let entries = old
        .entries()
        .map_err(|error| inaccessible("ALLOW_V4, ...", MapError::IoError(error)))?;
    for (key, value) in entries {
        let origin = value
            .first_chunk()
            .map_or(0, |value| u32::from_ne_bytes(*value));
        let entry = key.split_first_chunk().and_then(|(prefix, addr)| {
            let addr = match addr.len() {
                4 => IpAddr::from(*addr.first_chunk::<4>()?),
                16 => IpAddr::from(*addr.first_chunk::<16>()?),
                _ => return None,
            };
            Cidr::new(addr, u8::try_from(u32::from_ne_bytes(*prefix)).ok()?)
        });
        if let Some(cidr) = entry.filter(|_| ListOrigin(origin).any(ListOrigin::OPERATOR)) {
            lists.add(list, cidr)?;
        }
    }
    Ok(())
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

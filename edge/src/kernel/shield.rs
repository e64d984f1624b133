//! The shield as the control plane holds it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use aya::maps::MapError;
use edge_common::{BUCKETS, Bucket, CONFIG_SLOTS, Family, ShieldConfig, Verdict};

use super::attach::{self, Attachment};
use super::bans::Bans;
use super::object::{self, Maps, Program};
use super::settings::{GuardedPort, shield_config};
use super::{Ban, ShieldError, interface};
use crate::clock::monotonic_ns;
use crate::config::{self, ShieldMode};

/// The XDP program, attached until this is dropped or the process ends.
///
/// Making one takes CAP_BPF and CAP_NET_ADMIN; everything else goes through maps that are then
/// open and works without any privilege. It may move between threads.
pub struct Shield {
    attachments: Vec<Attachment>,
    asked: Asked,
    settings: ShieldConfig,
    /// The slot of the configuration map in force.
    slot: u32,
    maps: Maps,
    bans: Bans,
    program: Program,
}

/// What was asked for at the start and cannot change later.
#[derive(PartialEq, Eq)]
struct Asked {
    interfaces: Vec<String>,
    mode: ShieldMode,
}

impl Shield {
    /// Loads the program, configures it for the ports `edge` listens on, and attaches it to the
    /// configured interfaces or, if there are none, to that of the default route.
    ///
    /// With several interfaces it is attached to all of them or none.
    pub fn attach(config: &config::Shield, ports: &[GuardedPort]) -> Result<Shield, ShieldError> {
        if config.mode == ShieldMode::Off {
            return Err(ShieldError::Off);
        }
        let interfaces = if config.interfaces.is_empty() {
            interface::of_default_route()?
        } else {
            config.interfaces.clone()
        };
        let mut shield = Shield::load(config, ports)?;
        shield.attachments = attach::attach_all(shield.program.xdp(), &interfaces, config.mode)?;
        Ok(shield)
    }

    /// Everything but attaching.
    pub(super) fn load(
        config: &config::Shield,
        ports: &[GuardedPort],
    ) -> Result<Shield, ShieldError> {
        let seed = RandomState::new().build_hasher().finish();
        let settings = shield_config(config, ports, seed)?;
        let (program, bans, maps) = object::load()?;
        let mut shield = Shield {
            attachments: Vec::new(),
            asked: asked(config),
            settings: ShieldConfig::default(),
            slot: 0,
            maps,
            bans: Bans::new(bans),
            program,
        };
        shield.install(settings)?;
        Ok(shield)
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

fn inaccessible(map: &'static str, error: MapError) -> ShieldError {
    ShieldError::Map {
        map,
        cause: error.into(),
    }
}

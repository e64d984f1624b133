//! Putting a configuration in force.

use aya::maps::IterableMap;
use edge_common::{BUCKETS, Bucket, CONFIG_SLOTS, SHARED, Shared, ShieldConfig, ShieldFlags};

use super::{Shield, asked, inaccessible};
use crate::config;
use crate::kernel::settings::{GuardedPort, shield_config};
use crate::kernel::{ShieldError, sys};

impl Shield {
    /// Takes over a new configuration, between one packet and the next. Bans stay; if a limit
    /// changed, sources start anew with a full burst. What changed in the lists is written by the
    /// calls of [`Shield::sync_lists`] that follow.
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
        let settings = shield_config(config, ports, self.settings.seed)?;
        self.lists.want(&config.allow, &config.deny);
        self.only = config.only;
        self.install(settings)
    }

    pub(super) fn install(&mut self, mut settings: ShieldConfig) -> Result<(), ShieldError> {
        settings.flags = self.with_lists(settings.flags);
        let map = &mut self.maps.config;
        map.get(&0, 0)
            .and_then(|mut configs| {
                let slot = (configs.active as usize + 1) % CONFIG_SLOTS;
                configs.slots[slot] = settings;
                map.set(0, configs, 0)?;
                configs.active = slot as u64;
                map.set(0, configs, 0)
            })
            .map_err(|error| inaccessible("CONFIG", error))?;
        let old = std::mem::replace(&mut self.settings, settings);

        self.bans.set_mask(settings.ipv6_mask)?;
        // A state is a point in time reckoned with the old limit: under a stricter one that is
        // gone, it could be hours ahead.
        let is_first = old == ShieldConfig::default();
        let limits = |settings: &ShieldConfig| {
            let own = [settings.packets, settings.connections, settings.initials];
            (own, settings.new_connections)
        };
        if !is_first && limits(&old) != limits(&settings) {
            self.forget_sources()?;
        }
        Ok(())
    }

    /// Gives every source, and all together, a full burst.
    pub(in crate::kernel) fn forget_sources(&mut self) -> Result<(), ShieldError> {
        /// Buckets written in one system call.
        const SLICE: u32 = 2048;
        let nobody = vec![0; SLICE as usize * size_of::<Bucket>()];
        for first in (0..BUCKETS).step_by(SLICE as usize) {
            let keys: Vec<u8> = (first..first + SLICE).flat_map(u32::to_ne_bytes).collect();
            let sources = self.maps.sources.map().fd();
            sys::update(sources, SLICE as usize, &keys, &nobody).map_err(|error| {
                ShieldError::Map {
                    map: "SOURCES",
                    cause: error.into(),
                }
            })?;
        }
        for index in 0..SHARED {
            self.maps
                .together
                .set(index, Shared::default(), 0)
                .map_err(|error| inaccessible("TOGETHER", error))?;
        }
        Ok(())
    }

    /// The switches that follow from what the lists hold. Nobody is shut out while the list of those
    /// who are let in is still being written.
    fn with_lists(&self, flags: ShieldFlags) -> ShieldFlags {
        let was_only = self.settings.flags.any(ShieldFlags::ONLY);
        let flags = match was_only || self.lists.allow_is_written() {
            true => flags,
            false => flags.without(ShieldFlags::ONLY),
        };
        flags.without(ShieldFlags::LISTS).with(self.lists.flags())
    }

    /// Makes the program look at the lists that have entries, and no others.
    pub(super) fn follow_lists(&mut self) -> Result<(), ShieldError> {
        let wanted = match self.only {
            true => self.settings.flags.with(ShieldFlags::ONLY),
            false => self.settings.flags,
        };
        if self.with_lists(wanted) == self.settings.flags {
            return Ok(());
        }
        self.install(ShieldConfig {
            flags: wanted,
            ..self.settings
        })
    }
}

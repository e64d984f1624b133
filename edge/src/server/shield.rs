//! The kernel program as the control thread knows it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::control::{Counts, Guard, GuardError, GuardLink};
use super::error::Error;
use super::keeper::Keeper;
use crate::cidr::{Cidr, ListUse};
use crate::config::{Config, ShieldMode};
use crate::kernel::{
    self, Ban, BanCause, Evidence, GuardedPort, LinkChange, ListOrigin, Offender, Shield,
    ShieldError, Unlisted,
};

/// The mode of an interface that is not protected.
const NOT_ATTACHED: &str = "none";

/// Attaches the program as configured. Unless it is required, a failure is reported loudly and the
/// proxy serves without it.
pub(super) fn attach(config: &Config, keeper: &Keeper) -> Result<Option<Box<dyn Guard>>, Error> {
    if config.shield.mode == ShieldMode::Off {
        tracing::info!("the shield is off: shield.mode is \"off\"");
        if let Some(pin) = &config.shield.pin {
            detach_earlier(pin);
        }
        return Ok(None);
    }
    match Shield::attach(&config.shield, &guarded_ports(config)) {
        Ok(shield) => {
            announce(&shield);
            Ok(Some(Box::new(Guarded {
                shield,
                keeper: keeper.clone(),
            })))
        }
        Err(error) if config.shield.required => Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "THE SHIELD IS OFF: serving without protection in the kernel");
            Ok(None)
        }
    }
}

/// What an earlier run has left would go on dropping, with ports and bans of its own.
fn detach_earlier(pin: &Path) {
    match kernel::detach(pin, false) {
        Ok(done) if done.found => {
            let interfaces = done.interfaces.join(" ");
            tracing::info!(pin = %pin.display(), interfaces, "removed the shield of an earlier run");
        }
        Ok(_) => {}
        Err(error @ ShieldError::InUse { .. }) => {
            tracing::warn!(%error, "the shield of another edge stays");
        }
        Err(error) => tracing::debug!(%error, "whether an earlier run left a shield is not known"),
    }
}

fn announce(shield: &Shield) {
    for link in shield.attachments() {
        let (interface, mode) = (link.interface(), link.mode().name());
        tracing::info!(interface, mode, "shield attached");
    }
    for missing in shield.missing() {
        let (interface, error) = (&*missing.interface, &missing.error);
        match error {
            ShieldError::NoInterface { .. } => {
                tracing::warn!(
                    interface,
                    "the shield waits for an interface that is not there"
                );
            }
            _ => tracing::error!(interface, %error, "AN INTERFACE IS UNPROTECTED"),
        }
    }
    match (shield.pinned(), shield.unpinned()) {
        (Some(pin), _) => {
            let pin = pin.display();
            let bans = shield.ban_count();
            match shield.is_takeover() {
                true => tracing::info!(%pin, bans, "took over the shield of an earlier run"),
                false => tracing::info!(%pin, bans, "the shield outlives this process"),
            }
        }
        (None, Some(error)) => {
            tracing::warn!(%error, "the shield ends with this process");
        }
        (None, None) => {}
    }
}

/// Every port that is listened on, once.
fn guarded_ports(config: &Config) -> Vec<GuardedPort> {
    let listen = &config.listen;
    let ports = |addrs: &[SocketAddr]| addrs.iter().map(SocketAddr::port).collect::<BTreeSet<_>>();
    let tcp = &ports(&listen.https) | &ports(&listen.http);
    let udp = ports(&listen.quic);
    let tcp = tcp.into_iter().map(GuardedPort::Tcp);
    tcp.chain(udp.into_iter().map(GuardedPort::Udp)).collect()
}

/// The shield, and who attaches it to interfaces that come later.
struct Guarded {
    shield: Shield,
    keeper: Keeper,
}

impl Guard for Guarded {
    fn ban(
        &mut self,
        addr: IpAddr,
        duration: Duration,
        cause: BanCause,
        count: u16,
    ) -> Result<(), GuardError> {
        Ok(self.shield.ban_for(addr, duration, cause, count)?)
    }

    fn unban(&mut self, addr: IpAddr) -> Result<bool, GuardError> {
        Ok(self.shield.unban(addr)?)
    }

    fn bans(&self) -> Vec<Ban> {
        self.shield.bans()
    }

    fn last_bans(&self, count: usize) -> Vec<Ban> {
        self.shield.last_bans(count)
    }

    fn ban_count(&self) -> usize {
        self.shield.ban_count()
    }

    fn ban_of(&self, addr: IpAddr) -> Option<Ban> {
        self.shield.ban_of(addr)
    }

    fn remember(&mut self, addr: IpAddr, offender: Option<Offender>) -> Result<(), GuardError> {
        Ok(self.shield.remember(addr, offender)?)
    }

    fn remembered(&self) -> Result<Vec<(IpAddr, Offender)>, GuardError> {
        Ok(self.shield.remembered()?)
    }

    fn explain(&mut self, addr: IpAddr, reason: Option<&str>) -> Result<(), GuardError> {
        Ok(self.shield.explain(addr, reason)?)
    }

    fn explained(&self) -> Result<Vec<(IpAddr, String)>, GuardError> {
        Ok(self.shield.explained()?)
    }

    fn sweep(&mut self) -> Result<usize, GuardError> {
        Ok(self.shield.sweep()?)
    }

    fn apply(&mut self, config: &Config) -> Result<(), GuardError> {
        Ok(self.shield.apply(&config.shield, &guarded_ports(config))?)
    }

    fn sync_lists(&mut self) -> Result<bool, GuardError> {
        Ok(self.shield.sync_lists()?)
    }

    fn list_add(&mut self, list: ListUse, cidr: Cidr) -> Result<bool, GuardError> {
        Ok(self.shield.list_add(list, cidr)?)
    }

    fn list_remove(&mut self, list: ListUse, cidr: Cidr) -> Result<Unlisted, GuardError> {
        Ok(self.shield.list_remove(list, cidr)?)
    }

    fn list(&self, list: ListUse) -> Vec<(Cidr, ListOrigin)> {
        self.shield.list(list).collect()
    }

    fn list_len(&self, list: ListUse) -> usize {
        self.shield.list_len(list)
    }

    fn listed(&self, list: ListUse, addr: IpAddr) -> Option<Cidr> {
        self.shield.listed(list, addr)
    }

    fn known_good(&mut self, addr: IpAddr) -> Result<(), GuardError> {
        Ok(self.shield.known_good(addr)?)
    }

    fn evidence(&mut self) -> Vec<Evidence> {
        self.shield.evidence()
    }

    fn verdicts(&self) -> Result<Counts, GuardError> {
        Ok(self.shield.verdicts()?)
    }

    fn watched(&self) -> Result<Counts, GuardError> {
        Ok(self.shield.watched()?)
    }

    fn evidence_lost(&self) -> Result<u64, GuardError> {
        Ok(self.shield.evidence_lost()?)
    }

    fn links(&self) -> Vec<GuardLink> {
        let attached = self.shield.attachments().iter().map(|link| GuardLink {
            interface: link.interface().to_owned(),
            mode: link.mode().name(),
            is_attached: link.is_live(),
        });
        let missing = self.shield.missing().iter().map(|missing| GuardLink {
            interface: missing.interface.clone(),
            mode: NOT_ATTACHED,
            is_attached: false,
        });
        attached.chain(missing).collect()
    }

    fn follow_interfaces(&mut self) -> Vec<LinkChange> {
        let keeper = &self.keeper;
        self.shield
            .follow_interfaces(|program, interface| keeper.attach(program, interface))
    }

    fn stays_at(&self) -> Option<&Path> {
        self.shield.pinned()
    }
}

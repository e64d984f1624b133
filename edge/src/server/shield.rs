//! The kernel program as the control thread knows it.

use std::net::IpAddr;
use std::time::Duration;

use edge_common::{Family, Verdict};

use super::control::{Guard, GuardError, GuardLink};
use super::error::Error;
use crate::config::{Config, ShieldMode};
use crate::kernel::{GuardedPort, Shield};

/// Attaches the program as configured. Unless it is required, a failure is reported loudly and the
/// proxy serves without it.
pub(super) fn attach(config: &Config) -> Result<Option<Box<dyn Guard>>, Error> {
    if config.shield.mode == ShieldMode::Off {
        tracing::info!("the shield is off: shield.mode is \"off\"");
        return Ok(None);
    }
    match Shield::attach(&config.shield, &guarded_ports(config)) {
        Ok(shield) => {
            for link in shield.attachments() {
                let (interface, mode) = (link.interface(), link.mode().name());
                tracing::info!(interface, mode, "shield attached");
            }
            Ok(Some(Box::new(shield)))
        }
        Err(error) if config.shield.required => Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "THE SHIELD IS OFF: serving without protection in the kernel");
            Ok(None)
        }
    }
}

/// Every port that is listened on, once.
fn guarded_ports(config: &Config) -> Vec<GuardedPort> {
    let listen = &config.listen;
    let mut ports: Vec<u16> = listen
        .https
        .iter()
        .chain(&listen.http)
        .map(|addr| addr.port())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports.into_iter().map(GuardedPort::Tcp).collect()
}

impl Guard for Shield {
    fn ban(&mut self, addr: IpAddr, duration: Duration) -> Result<(), GuardError> {
        Ok(Shield::ban(self, addr, duration)?)
    }

    fn unban(&mut self, addr: IpAddr) -> Result<bool, GuardError> {
        Ok(Shield::unban(self, addr)?)
    }

    fn bans(&self) -> Vec<(IpAddr, Duration)> {
        Shield::bans(self)
            .into_iter()
            .map(|ban| (ban.addr, ban.remaining))
            .collect()
    }

    fn sweep(&mut self) -> Result<usize, GuardError> {
        Ok(Shield::sweep(self)?)
    }

    fn apply(&mut self, config: &Config) -> Result<(), GuardError> {
        Ok(Shield::apply(self, &config.shield, &guarded_ports(config))?)
    }

    fn verdicts(&self) -> Result<Vec<(Verdict, Family, u64)>, GuardError> {
        Ok(Shield::verdicts(self)?)
    }

    fn links(&self) -> Vec<GuardLink> {
        let link = |link: &crate::kernel::Attachment| GuardLink {
            interface: link.interface().to_owned(),
            mode: link.mode().name(),
        };
        self.attachments().iter().map(link).collect()
    }
}

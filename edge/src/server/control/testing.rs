//! What the tests of the control thread share.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use edge_common::{BanCause, Family, Verdict};

use super::guard::{Counts, Guard, GuardError, GuardLink};
use crate::cidr::{Cidr, ListUse};
use crate::config::{Config, Penalty, Weights};
use crate::kernel::{Ban, Evidence, LinkChange, ListOrigin, Offender, Unlisted};

/// Ten minutes, then longer.
pub(super) fn penalty() -> Penalty {
    Penalty {
        refused: 100,
        within: Duration::from_secs(60),
        ban: Duration::from_secs(600),
        ban_max: Duration::from_secs(86_400),
        forget: Duration::from_secs(86_400),
        weights: Weights {
            handshake: 1,
            malformed: 1,
            smuggling: 1,
            oversize: 1,
            resets: 1,
            auth: 1,
        },
    }
}

/// Stands for the kernel's table, which takes privileges to make: two bans fit.
#[derive(Default)]
pub(super) struct Table {
    bans: BTreeMap<IpAddr, (Duration, BanCause, u16)>,
    lists: BTreeMap<(bool, Cidr), ListOrigin>,
    offenders: BTreeMap<IpAddr, Offender>,
}

impl Guard for Table {
    fn ban(
        &mut self,
        addr: IpAddr,
        duration: Duration,
        cause: BanCause,
        count: u16,
    ) -> Result<(), GuardError> {
        if self.bans.len() == 2 {
            return Err("the ban table is full".into());
        }
        self.bans.insert(addr, (duration, cause, count));
        Ok(())
    }

    fn unban(&mut self, addr: IpAddr) -> Result<bool, GuardError> {
        Ok(self.bans.remove(&addr).is_some())
    }

    fn bans(&self) -> Vec<Ban> {
        let bans = self.bans.iter();
        bans.map(|(&addr, &(remaining, cause, count))| Ban {
            addr,
            prefix: 32,
            remaining,
            cause,
            count,
        })
        .collect()
    }

    fn last_bans(&self, count: usize) -> Vec<Ban> {
        self.bans().into_iter().rev().take(count).collect()
    }

    fn ban_count(&self) -> usize {
        self.bans.len()
    }

    fn ban_of(&self, addr: IpAddr) -> Option<Ban> {
        self.bans().into_iter().find(|ban| ban.addr == addr)
    }

    fn remember(&mut self, addr: IpAddr, offender: Option<Offender>) -> Result<(), GuardError> {
        match offender {
            Some(offender) => self.offenders.insert(addr, offender),
            None => self.offenders.remove(&addr),
        };
        Ok(())
    }

    fn remembered(&self) -> Result<Vec<(IpAddr, Offender)>, GuardError> {
        let offenders = self.offenders.iter();
        Ok(offenders.map(|(&addr, &past)| (addr, past)).collect())
    }

    fn explain(&mut self, _: IpAddr, _: Option<&str>) -> Result<(), GuardError> {
        Ok(())
    }

    fn explained(&self) -> Result<Vec<(IpAddr, String)>, GuardError> {
        Ok(Vec::new())
    }

    fn sweep(&mut self) -> Result<usize, GuardError> {
        Ok(0)
    }

    fn apply(&mut self, _: &Config) -> Result<(), GuardError> {
        Ok(())
    }

    fn sync_lists(&mut self) -> Result<bool, GuardError> {
        Ok(false)
    }

    fn list_add(&mut self, list: ListUse, cidr: Cidr) -> Result<bool, GuardError> {
        let key = (list == ListUse::Deny, cidr);
        Ok(self.lists.insert(key, ListOrigin::OPERATOR).is_none())
    }

    fn list_remove(&mut self, list: ListUse, cidr: Cidr) -> Result<Unlisted, GuardError> {
        Ok(match self.lists.remove(&(list == ListUse::Deny, cidr)) {
            Some(_) => Unlisted::Removed,
            None => Unlisted::NotListed,
        })
    }

    fn list(&self, list: ListUse) -> Vec<(Cidr, ListOrigin)> {
        let of_list = self
            .lists
            .iter()
            .filter(|((deny, _), _)| *deny == (list == ListUse::Deny));
        of_list
            .map(|((_, cidr), origin)| (*cidr, *origin))
            .collect()
    }

    fn list_len(&self, list: ListUse) -> usize {
        self.list(list).len()
    }

    fn listed(&self, list: ListUse, addr: IpAddr) -> Option<Cidr> {
        let mut networks = self.list(list).into_iter().map(|(cidr, _)| cidr);
        networks.find(|cidr| cidr.contains(addr))
    }

    fn known_good(&mut self, _: IpAddr) -> Result<(), GuardError> {
        Ok(())
    }

    fn evidence(&mut self) -> Vec<Evidence> {
        Vec::new()
    }

    fn verdicts(&self) -> Result<Counts, GuardError> {
        Ok(vec![(Verdict::Banned, Family::V4, 41)])
    }

    fn watched(&self) -> Result<Counts, GuardError> {
        Ok(vec![(Verdict::Banned, Family::V4, 1)])
    }

    fn evidence_lost(&self) -> Result<u64, GuardError> {
        Ok(3)
    }

    fn links(&self) -> Vec<GuardLink> {
        vec![GuardLink {
            interface: "eth0".into(),
            mode: "native",
            is_attached: true,
        }]
    }

    fn follow_interfaces(&mut self) -> Vec<LinkChange> {
        Vec::new()
    }

    fn stays_at(&self) -> Option<&Path> {
        None
    }
}

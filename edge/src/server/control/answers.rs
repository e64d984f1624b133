//! What is answered on the admin socket.

use std::net::IpAddr;
use std::process;
use std::time::Duration;

use super::controller::Controller;
use super::guard::Guard;
use super::protected::never_sends;
use crate::cidr::{Cidr, ListUse, parse_entry};
use crate::clock::monotonic_ns;
use crate::kernel::{self, BanCause, ListOrigin, Unlisted};
use crate::limit::ClientKey;
use crate::observe::admin::{
    Answer, BAN_MAX, Ban, Banned, Care, Changed, Entry, Imported, Left, NewBan, Request,
    ShieldStatus, Source, Status, Switch, Switched, Top, Unbanned, Verdicts,
};

const NO_SHIELD: &str = "the shield is off: there is no kernel program to ban with";

/// Sources and bans in the live view: more than a screen has lines.
const TOP_MAX: usize = 100;

impl Controller {
    pub(super) fn answer_to(
        &mut self,
        request: &Request,
        uid: Option<u32>,
    ) -> Result<Answer, String> {
        match request {
            Request::Ban {
                addr,
                for_ms,
                reason,
                care,
            } => {
                let ban = NewBan {
                    addr: *addr,
                    for_ms: *for_ms,
                    reason: reason.clone(),
                };
                self.ban_by_hand(&ban, care, BanCause::Admin)?;
                let secs = for_ms / 1000;
                tracing::info!(%addr, secs, origin = "admin", uid, reason, "banned");
                Ok(Answer::Banned(self.banned(*addr, *for_ms)?))
            }
            Request::Import { bans, care } => {
                let imported = self.import(bans, care)?;
                let (taken, left) = (imported.taken, imported.left.len());
                tracing::info!(taken, left, uid, "took bans in");
                Ok(Answer::Imported(imported))
            }
            Request::Unban { addr } => {
                let was_banned = self.unban(*addr)?;
                tracing::info!(%addr, was_banned, uid, "unbanned");
                Ok(Answer::Unbanned(Unbanned { was_banned }))
            }
            Request::Bans => {
                let bans = self.guard()?.bans();
                Ok(Answer::Bans(
                    bans.iter().map(|ban| self.shown(ban)).collect(),
                ))
            }
            Request::ListAdd { list, cidrs, care } => {
                let changed = self.list_add((*list).into(), cidrs, care)?;
                log_change(&changed, (*list).into(), "added", uid);
                Ok(Answer::Changed(changed))
            }
            Request::ListDel { list, cidrs } => {
                let changed = self.list_remove((*list).into(), cidrs)?;
                log_change(&changed, (*list).into(), "removed", uid);
                Ok(Answer::Changed(changed))
            }
            Request::List { list } => {
                let entries = self.guard()?.list((*list).into()).into_iter();
                let entry = |(cidr, origin): (Cidr, ListOrigin)| Entry {
                    cidr: cidr.to_string(),
                    config: origin.any(ListOrigin::CONFIG),
                    operator: origin.any(ListOrigin::OPERATOR),
                };
                Ok(Answer::List(entries.map(entry).collect()))
            }
            Request::Top => Ok(Answer::Top(self.top())),
            Request::Status => Ok(Answer::Status(self.status())),
            Request::Maintenance(switch) => self.maintenance(switch.as_ref(), uid),
            Request::Reload => Err("a reload is answered elsewhere".into()),
        }
    }

    /// Switches, if that is asked, and says what is switched.
    fn maintenance(&self, switch: Option<&Switch>, uid: Option<u32>) -> Result<Answer, String> {
        if let Some(Switch { host, on }) = switch {
            let set = self.switches.set(host.as_deref(), *on);
            set.map_err(|unknown| unknown.to_string())?;
            tracing::info!(host, on, uid, "maintenance switched");
        }
        let (all, hosts) = self.switches.list();
        Ok(Answer::Switched(Switched { all, hosts }))
    }

    fn guard(&mut self) -> Result<&mut dyn Guard, String> {
        match &mut self.guard {
            Some(guard) => Ok(&mut **guard),
            None => Err(NO_SHIELD.to_owned()),
        }
    }

    /// A ban that an operator asks for: as long as it says, whoever was banned before.
    fn ban_by_hand(&mut self, ban: &NewBan, care: &Care, cause: BanCause) -> Result<(), String> {
        self.guard()?;
        if let Some(why) = never_sends(ban.addr) {
            return Err(format!("{} is not banned: {why}", ban.addr));
        }
        let client = ClientKey::from_ip(ban.addr, self.ipv6_prefix);
        let network = (client.address(), self.prefix(ban.addr));
        self.mind(network, care, &format!("{} is not banned", ban.addr))?;
        let duration = Duration::from_millis(ban.for_ms);
        match self.ban(ban.addr, duration, cause, 1) {
            None => return Err(NO_SHIELD.to_owned()),
            Some(banned) => banned.map_err(|error| error.to_string())?,
        }
        if let Some(reason) = &ban.reason {
            self.note(client, reason);
        }
        Ok(())
    }

    /// What is in force after a ban was asked for.
    fn banned(&mut self, addr: IpAddr, asked_ms: u64) -> Result<Banned, String> {
        let ban = self.guard()?.ban_of(addr);
        let left = ban.map_or(Duration::ZERO, |ban| ban.remaining);
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let was_longer = left_ms > asked_ms;
        Ok(Banned {
            addr: ClientKey::from_ip(addr, self.ipv6_prefix).address(),
            prefix: self.prefix(addr),
            for_ms: match was_longer {
                true => left_ms,
                false => asked_ms,
            },
            was_longer,
        })
    }

    /// Refuses to shut out what must stay reachable.
    fn mind(&mut self, network: (IpAddr, u8), care: &Care, what: &str) -> Result<(), String> {
        if care.force {
            return Ok(());
        }
        match self.protected.why(network, care.ssh, monotonic_ns()) {
            Some(why) => Err(format!("{what}: {why}; add --force to do it nevertheless")),
            None => Ok(()),
        }
    }

    fn import(&mut self, bans: &[NewBan], care: &Care) -> Result<Imported, String> {
        self.guard()?;
        let mut imported = Imported::default();
        for ban in bans {
            let longest = u64::try_from(BAN_MAX.as_millis()).unwrap_or(u64::MAX);
            let ban = NewBan {
                for_ms: ban.for_ms.clamp(1, longest),
                ..ban.clone()
            };
            match self.ban_by_hand(&ban, care, BanCause::Import) {
                Ok(()) => imported.taken += 1,
                Err(why) => imported.left.push(Left {
                    what: ban.addr.to_string(),
                    why,
                    harmless: false,
                }),
            }
        }
        Ok(imported)
    }

    fn unban(&mut self, addr: IpAddr) -> Result<bool, String> {
        let was_banned = self
            .guard()?
            .unban(addr)
            .map_err(|error| error.to_string())?;
        let client = ClientKey::from_ip(addr, self.ipv6_prefix);
        self.expelled.remove(&client);
        self.offenders.forgive(&client);
        self.keep_past(&client);
        self.forget_note(&client);
        Ok(was_banned)
    }

    fn list_add(
        &mut self,
        list: ListUse,
        cidrs: &[String],
        care: &Care,
    ) -> Result<Changed, String> {
        self.each(cidrs, |controller, text| {
            let (cidr, warning) = parse_entry(text, list)?;
            if list == ListUse::Deny {
                let what = format!("{cidr} is not denied");
                controller.mind((cidr.addr(), cidr.prefix()), care, &what)?;
            }
            let added = controller.guard()?.list_add(list, cidr);
            match added.map_err(|error| error.to_string())? {
                // What was put right is said, but is no reason to fail.
                true => Ok(Outcome::Done(warning.unwrap_or_else(|| cidr.to_string()))),
                false => Ok(Outcome::Already(
                    cidr,
                    "it is on the list already".to_owned(),
                )),
            }
        })
    }

    fn list_remove(&mut self, list: ListUse, cidrs: &[String]) -> Result<Changed, String> {
        self.each(cidrs, |controller, text| {
            // Whatever may not be added may still be taken off.
            let (cidr, _) = parse_entry(text, ListUse::Allow)?;
            let removed = controller.guard()?.list_remove(list, cidr);
            match removed.map_err(|error| error.to_string())? {
                Unlisted::Removed => Ok(Outcome::Done(cidr.to_string())),
                Unlisted::NotListed => {
                    let name = list.name();
                    Ok(Outcome::Already(
                        cidr,
                        format!("it is not on the list; `edge {name} list` shows what is"),
                    ))
                }
                Unlisted::Configured => Err(
                    "the configuration has it: take it out there, then `edge reload`".to_owned(),
                ),
            }
        })
    }

    fn each(
        &mut self,
        cidrs: &[String],
        mut change: impl FnMut(&mut Controller, &str) -> Result<Outcome, String>,
    ) -> Result<Changed, String> {
        self.guard()?;
        let mut changed = Changed::default();
        for text in cidrs {
            let left = |what: String, why, harmless| Left {
                what,
                why,
                harmless,
            };
            match change(self, text) {
                Ok(Outcome::Done(cidr)) => changed.done.push(cidr),
                Ok(Outcome::Already(cidr, why)) => {
                    changed.left.push(left(cidr.to_string(), why, true));
                }
                Err(why) => changed.left.push(left(text.clone(), why, false)),
            }
        }
        Ok(changed)
    }

    fn shown(&self, ban: &kernel::Ban) -> Ban {
        let note = self
            .notes
            .get(&ClientKey::from_ip(ban.addr, self.ipv6_prefix));
        Ban {
            addr: ban.addr,
            prefix: ban.prefix,
            remaining_ms: u64::try_from(ban.remaining.as_millis()).unwrap_or(u64::MAX),
            origin: ban.cause.origin().to_owned(),
            reason: note.map_or(ban.cause.name(), |note| note).to_owned(),
            count: ban.count,
        }
    }

    fn top(&self) -> Top {
        let now = monotonic_ns();
        let mut top = Top {
            uptime_ms: (now - self.started_ns) / 1_000_000,
            shield: self.shield_status(),
            ..Top::default()
        };
        let Some(guard) = &self.guard else {
            return top;
        };
        let counted = guard.verdicts().unwrap_or_default();
        let watched = guard.watched().unwrap_or_default();
        for (index, (verdict, _, packets)) in counted.into_iter().enumerate() {
            let passed = watched.get(index).map_or(0, |count| count.2);
            match top
                .packets
                .last_mut()
                .filter(|last| last.verdict == verdict.name())
            {
                Some(last) => {
                    last.packets += packets;
                    last.watched += passed;
                }
                None => top.packets.push(Verdicts {
                    verdict: verdict.name().to_owned(),
                    dropped: verdict.dropped(),
                    packets,
                    watched: passed,
                }),
            }
        }
        let sources = self.reports.top(TOP_MAX, now).into_iter();
        top.sources = sources
            .map(|source| Source {
                addr: source.addr,
                samples: source.samples,
                per_sec: (source.per_sec * 100.0).round() / 100.0,
                verdict: source.verdict.name().to_owned(),
                port: source.port,
                age_ms: source.age_ns / 1_000_000,
            })
            .collect();
        top.bans_total = guard.ban_count();
        // Those that end last are the newest, or the worst.
        let last = guard.last_bans(TOP_MAX);
        top.bans = last.iter().map(|ban| self.shown(ban)).collect();
        top
    }

    fn status(&self) -> Status {
        let guard = self.guard.as_deref();
        let listed = |list| guard.map_or(0, |guard| guard.list_len(list));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: process::id(),
            uptime_secs: (monotonic_ns() - self.started_ns) / 1_000_000_000,
            workers: self.workers,
            shield: self.shield_status(),
            pin: guard.and_then(|guard| guard.stays_at().map(ToOwned::to_owned)),
            bans: guard.map_or(0, |guard| guard.ban_count()),
            allow: listed(ListUse::Allow),
            deny: listed(ListUse::Deny),
        }
    }

    fn shield_status(&self) -> Vec<ShieldStatus> {
        let links = self.links().into_iter();
        links
            .map(|link| ShieldStatus {
                interface: link.interface,
                mode: link.mode.to_owned(),
                attached: link.attached,
            })
            .collect()
    }
}

/// What came of one network.
enum Outcome {
    /// Changed; what is said of it.
    Done(String),
    /// As it was meant to be, and why.
    Already(Cidr, String),
}

fn log_change(changed: &Changed, list: ListUse, what: &str, uid: Option<u32>) {
    let (list, networks) = (list.name(), changed.done.len());
    let first = changed.done.first();
    if let Some(first) = first {
        tracing::info!(list, networks, first, uid, "{what} networks");
    }
}

//! The shield once more, as a plain program: which packet gets which verdict.
//!
//! It shares with the kernel program the names of the verdicts and nothing else, is written for
//! reading and not for speed, and exists to be compared with it. Limits have bursts that are never
//! refilled.

mod parse;
mod rules;

pub(crate) use rules::{Network, Rules};

use std::collections::HashMap;
use std::net::IpAddr;

use edge_common::{Family, Verdict};

use parse::{Opening, Parsed, Transport};

/// The rules, and what has been admitted so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    rules: Rules,
    spent: HashMap<IpAddr, Spent>,
    new_connections: u32,
    versions: u32,
}

/// What one source has been admitted.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    packets: u32,
    connections: u32,
    initials: u32,
}

impl Model {
    /// A shield that has not seen anything.
    pub(crate) fn new(rules: Rules) -> Model {
        Model {
            rules,
            ..Model::default()
        }
    }

    /// The verdict on an Ethernet frame.
    pub(crate) fn judge(&mut self, frame: &[u8]) -> (Verdict, Family) {
        let packet = match parse::parse(frame) {
            Parsed::Aside(verdict, family) => return (verdict, family),
            Parsed::Packet(packet) => packet,
        };
        let guarded = match (packet.transport, packet.payload) {
            (Transport::Hidden, _) => true,
            (transport, [_, _, high, low, ..]) => {
                let port = u16::from(*high) * 256 + u16::from(*low);
                match transport {
                    Transport::Tcp => self.rules.tcp.contains(&port),
                    _ => self.rules.udp.contains(&port),
                }
            }
            _ => return (Verdict::Unparsed, packet.family),
        };
        if !guarded {
            return (Verdict::Unguarded, packet.family);
        }
        let source = self.rules.counted_as(packet.source);
        let refused = self.refused_by_address(packet.source, source);
        let verdict = match refused {
            Some(verdict) => verdict,
            None if packet.transport == Transport::Hidden => {
                if packet.is_first_fragment && self.rules.drop_fragments {
                    Verdict::FragmentRefused
                } else {
                    self.over_own_limit(source, Opening::Tcp)
                        .or_else(|| self.over_common_limit(source, Opening::Tcp))
                        .unwrap_or(Verdict::Unparsed)
                }
            }
            None => match parse::opening(&packet, self.rules.drop_fragments) {
                Err(verdict) => verdict,
                Ok(opening) => self
                    .over_own_limit(source, opening)
                    .or_else(|| self.over_common_limit(source, opening))
                    .unwrap_or(Verdict::Passed),
            },
        };
        (verdict, packet.family)
    }

    fn refused_by_address(&self, addr: IpAddr, source: IpAddr) -> Option<Verdict> {
        let rules = &self.rules;
        if rules.allow.iter().any(|network| network.has(addr)) {
            Some(Verdict::Allowed)
        } else if rules.banned.contains(&source) {
            Some(Verdict::Banned)
        } else if rules.deny.iter().any(|network| network.has(addr)) {
            Some(Verdict::Denied)
        } else if rules.only {
            Some(Verdict::NotAllowed)
        } else {
            None
        }
    }

    fn over_own_limit(&mut self, source: IpAddr, opening: Opening) -> Option<Verdict> {
        let spent = self.spent.entry(source).or_default();
        if !take(&mut spent.packets, self.rules.packets) {
            return Some(Verdict::PacketRate);
        }
        let (count, burst, verdict) = match opening {
            Opening::Nothing => return None,
            Opening::Tcp => (
                &mut spent.connections,
                self.rules.connections,
                Verdict::ConnectionRate,
            ),
            Opening::Quic | Opening::QuicUnknown => (
                &mut spent.initials,
                self.rules.initials,
                Verdict::InitialRate,
            ),
        };
        (!take(count, burst)).then_some(verdict)
    }

    fn over_common_limit(&mut self, source: IpAddr, opening: Opening) -> Option<Verdict> {
        if opening == Opening::Nothing {
            return None;
        }
        if opening == Opening::QuicUnknown && !take(&mut self.versions, Some(self.rules.versions)) {
            return Some(Verdict::QuicVersion);
        }
        let burst = self.rules.new_connections;
        let burst = match self.rules.known.contains(&source) {
            true => burst.map(|burst| 2 * burst),
            false => burst,
        };
        (!take(&mut self.new_connections, burst)).then_some(Verdict::NewConnections)
    }
}

/// One more, if the burst has it.
fn take(count: &mut u32, burst: Option<u32>) -> bool {
    match burst {
        None => true,
        Some(burst) if *count < burst => {
            *count += 1;
            true
        }
        Some(_) => false,
    }
}

//! The open connections of a worker, and whose they are: those of a client that is banned are closed
//! at once. The kernel drops its packets from then on, so that nothing else would tell.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;

use quinn::{Connection, VarInt};
use tokio::task::AbortHandle;

use crate::net::HangUp;
use crate::quic::Moves;

/// H3_EXCESSIVE_LOAD (RFC 9114 §8.1).
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(0x107);

/// Connections by a number of their own.
#[derive(Default)]
pub(super) struct Clients {
    last: Cell<u64>,
    open: RefCell<HashMap<u64, Client>>,
    /// Some were told to end and have to be looked after.
    told: Cell<bool>,
}

struct Client {
    addr: IpAddr,
    line: Line,
    told: bool,
    moves: Moves,
}

/// What to end a connection by.
pub(super) enum Line {
    /// Its handshake is under way, which has a deadline.
    None,
    Stream(HangUp, AbortHandle),
    Datagrams(Connection),
}

impl Clients {
    /// Enters a connection; its number.
    pub(super) fn open(&self, addr: IpAddr) -> u64 {
        let number = self.last.get() + 1;
        self.last.set(number);
        let client = Client {
            addr,
            line: Line::None,
            told: false,
            moves: Moves::default(),
        };
        self.open.borrow_mut().insert(number, client);
        number
    }

    /// Says how a connection is ended.
    pub(super) fn reach(&self, number: u64, line: Line) {
        if let Some(client) = self.open.borrow_mut().get_mut(&number) {
            client.line = line;
        }
    }

    /// Takes a connection out that has ended.
    pub(super) fn close(&self, number: u64) {
        self.open.borrow_mut().remove(&number);
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Ends the connections of those who are banned; how many there were.
    pub(super) fn expel(&self, is_banned: impl Fn(IpAddr) -> bool) -> usize {
        let mut expelled = 0;
        for client in self.open.borrow_mut().values_mut() {
            match &client.line {
                Line::Stream(line, _) if !client.told && is_banned(client.addr) => {
                    line.now();
                    client.told = true;
                    self.told.set(true);
                }
                // What comes from where it is now is dropped as well: it may have moved.
                Line::Datagrams(line)
                    if line.close_reason().is_none()
                        && [client.addr, line.remote_address().ip().to_canonical()]
                            .into_iter()
                            .any(&is_banned) =>
                {
                    line.close(EXCESSIVE_LOAD, b"");
                }
                _ => continue,
            }
            expelled += 1;
        }
        expelled
    }

    /// Ends the connections that move too often; whose they are. In each of so many turns, which together
    /// take a second, a part of them is looked at.
    pub(super) fn end_the_restless(&self, turn: u64, turns: u64) -> Vec<IpAddr> {
        let mut restless = Vec::new();
        for (number, client) in self.open.borrow_mut().iter_mut() {
            let Line::Datagrams(line) = &client.line else {
                continue;
            };
            if number % turns == turn % turns
                && client
                    .moves
                    .are_too_many(line.stats().frame_tx.path_challenge)
            {
                line.close(EXCESSIVE_LOAD, b"");
                restless.push(client.addr);
            }
        }
        restless
    }

    /// Ends what was told to end some time ago and has something better to do: then a request in
    /// flight has no line in the log.
    pub(super) fn end_those_told(&self) {
        if !self.told.replace(false) {
            return;
        }
        let open = self.open.borrow();
        let told = open.values().filter(|client| client.told);
        let tasks: Vec<AbortHandle> = told
            .filter_map(|client| match &client.line {
                Line::Stream(_, task) => Some(task.clone()),
                _ => None,
            })
            .collect();
        drop(open);
        tasks.iter().for_each(AbortHandle::abort);
    }
}

//! Clients that are slow but honest: they take large answers, or make calls, a little at a time and at
//! a fixed rate. What they get is compared like everything else.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, ensure};
use rustls::ClientConfig;

use super::answer::check_body;
use super::caller::{Scratch, authority};
use super::speech::{Language, Speech};
use super::tls::Tls;
use crate::origin::{ANSWER_BYTES, PATTERN_BYTES, pattern};

/// Between two looks of a client at its connection.
const STEP_NS: u64 = 250_000_000;
/// What a reader takes in a step: 64 KiB a second, TLS included.
const TAKE_BYTES: usize = 16 << 10;
/// What a reader asks for, again and again.
const BODY_BYTES: u64 = 4 << 20;
/// Of a reader, so that what it does not take waits at the proxy and not in its own kernel.
const RECEIVE_BYTES: usize = 16 << 10;
/// What a writer gives in a step: 160 bytes a second, so that a head takes a second or two and a call
/// two or three, which is below what any proxy puts up with.
const GIVE_BYTES: usize = 40;
/// The numbers of writers' calls are out of the way of others'.
const SERIAL: u64 = 1 << 48;

/// In what a client is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// In taking an answer.
    Reader,
    /// In making a call, head and body.
    Writer,
}

/// The slow clients of one proxy, in about the order in which they are due.
#[derive(Default)]
pub(super) struct Slow {
    clients: VecDeque<Client>,
    fault: Option<Error>,
}

struct Client {
    tls: Tls,
    work: Work,
    due_ns: u64,
}

enum Work {
    Read {
        request: String,
        /// Of the head, until it is whole.
        head: Option<Vec<u8>>,
        received: u64,
    },
    Write {
        speech: Box<dyn Speech>,
        serial: u64,
        call: Vec<u8>,
        given: usize,
    },
}

impl Slow {
    /// One more client, which begins at once.
    pub(super) fn add(
        &mut self,
        address: SocketAddr,
        config: &Arc<ClientConfig>,
        pattern: Pattern,
        now_ns: u64,
    ) -> Result<()> {
        let tls = match pattern {
            Pattern::Reader => Tls::connect_narrow(address, config, RECEIVE_BYTES)?,
            Pattern::Writer => Tls::connect(address, config)?,
        };
        tls.do_not_wait()?;
        let authority = authority(address);
        let work = match pattern {
            Pattern::Reader => Work::Read {
                request: format!("GET /?bytes={BODY_BYTES} HTTP/1.1\r\nhost: {authority}\r\n\r\n"),
                head: None,
                received: BODY_BYTES,
            },
            Pattern::Writer => Work::Write {
                speech: Language::Http1.speak(&authority),
                serial: SERIAL,
                call: Vec::new(),
                given: 0,
            },
        };
        self.clients.push_back(Client {
            tls,
            work,
            due_ns: now_ns,
        });
        Ok(())
    }

    /// Has everybody go away.
    pub(super) fn clear(&mut self) {
        self.clients.clear();
    }

    /// Has those go on who are due. Who meets a fault leaves.
    pub(super) fn step(&mut self, now_ns: u64, body: &[u8; ANSWER_BYTES], scratch: &mut Scratch) {
        while let Some(mut client) = self.clients.pop_front_if(|client| client.due_ns <= now_ns) {
            match client.step(body, scratch) {
                Ok(()) => {
                    // Who comes late does not make up for it: catching up would take the time of
                    // others, who would then be late.
                    client.due_ns = (client.due_ns + STEP_NS).max(now_ns + STEP_NS / 2);
                    self.clients.push_back(client);
                }
                Err(error) => {
                    self.fault.get_or_insert(error);
                }
            }
        }
    }

    /// How long nobody is due.
    pub(super) fn wait(&self, now_ns: u64) -> Option<Duration> {
        let first = self.clients.front()?;
        Some(Duration::from_nanos(first.due_ns.saturating_sub(now_ns)))
    }

    /// What went wrong since the last time, if anything did.
    pub(super) fn fault(&mut self) -> Option<Error> {
        self.fault.take()
    }
}

impl Client {
    fn step(&mut self, body: &[u8; ANSWER_BYTES], scratch: &mut Scratch) -> Result<()> {
        let Self { tls, work, .. } = self;
        match work {
            Work::Read {
                request,
                head,
                received,
            } => {
                if *received == BODY_BYTES {
                    tls.queue(request.as_bytes())?;
                    (*head, *received) = (Some(Vec::new()), 0);
                }
                tls.receive(&mut scratch.wire[..TAKE_BYTES], |plain| {
                    take(plain, head, received)
                })
                .context("a slow reader")?;
            }
            Work::Write {
                speech,
                serial,
                call,
                given,
            } => {
                if *given == call.len() && speech.under_way() == 0 {
                    (*given, *serial) = (0, *serial + 1);
                    call.clear();
                    speech.call(*serial, 0, call)?;
                }
                let piece = &call[*given..call.len().min(*given + GIVE_BYTES)];
                tls.queue(piece)?;
                *given += piece.len();
                scratch.done.clear();
                let done = &mut scratch.done;
                tls.receive(&mut scratch.wire, |plain| {
                    speech.read(plain, body, done, &mut Vec::new())
                })
                .context("a slow writer")?;
                ensure!(
                    done.is_empty() || *given == call.len(),
                    "an answer to half a call"
                );
            }
        }
        Ok(tls.flush()?)
    }
}

/// Takes a piece of an answer, and compares what is body with the pattern.
fn take(plain: &[u8], head: &mut Option<Vec<u8>>, received: &mut u64) -> Result<()> {
    if let Some(mut partial) = head.take() {
        partial.extend_from_slice(plain);
        return match check_body(&partial, BODY_BYTES)? {
            Some(head_bytes) => compare(&partial[head_bytes..], received),
            None => {
                *head = Some(partial);
                Ok(())
            }
        };
    }
    compare(plain, received)
}

fn compare(piece: &[u8], received: &mut u64) -> Result<()> {
    for part in piece.chunks(PATTERN_BYTES) {
        ensure!(
            *part == pattern(*received)[..part.len()],
            "other bytes than were sent after {received}"
        );
        *received += part.len() as u64;
    }
    ensure!(*received <= BODY_BYTES, "a larger body");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_compared_from_its_first_byte_on() {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
        let bytes = [head.as_bytes(), &pattern(0)[..5000]].concat();
        let (mut head, mut received) = (Some(Vec::new()), 0);
        for piece in bytes.chunks(33) {
            take(piece, &mut head, &mut received).expect("as it was sent");
        }
        assert_eq!((head, received), (None, 5000));
        assert!(take(&pattern(1)[..9], &mut None, &mut received).is_err());
        let late = BODY_BYTES - 4;
        assert!(take(&pattern(late)[..5], &mut None, &mut { late }).is_err());
    }
}

//! The loop that drives generator and origin on one thread.
//!
//! Two things keep it from being the bottleneck, which would measure how proxies wait instead of
//! how they work. Under load it polls instead of sleeping, so that no proxy pays for waking it. And
//! a turn reads everything that is ready before it writes anything, so that a proxy that ran out of
//! work is woken once for a batch, not once for every message.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rustls::ClientConfig;

use super::caller::Caller;
use super::slice::Slice;
use super::stream::Stream;
use crate::clock::monotonic_ns;
use crate::measure::check_interrupt;
use crate::origin::{ANSWER_BYTES, Origin, answer_body};
use crate::reactor::{Reactor, Token};

/// How long outstanding answers are waited for at the end of a slice.
const GRACE_NS: u64 = 5_000_000_000;
/// Longest wait between two looks at whether to go on at all.
const LOOK: Duration = Duration::from_millis(100);
/// Token owner of the origin; endpoints follow.
const ORIGIN: u32 = 0;

/// Handle of a proxy under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(u32);

/// Connections to one proxy; a lost one leaves its place empty.
struct Fleet {
    address: SocketAddr,
    callers: Vec<Option<Caller>>,
    streams: Vec<Option<Stream>>,
    events: usize,
}

/// The origin and every connection to every proxy.
pub(crate) struct Driver {
    reactor: Reactor,
    ready: Vec<Token>,
    origin: Origin,
    tls: Arc<ClientConfig>,
    fleets: Vec<Fleet>,
    body: [u8; ANSWER_BYTES],
    /// Calls under way.
    outstanding: usize,
}

impl Driver {
    /// Starts an origin on a free port of the loopback.
    pub(crate) fn new(tls: Arc<ClientConfig>) -> Result<Self> {
        let reactor = Reactor::new()?;
        let origin = Origin::bind((Ipv4Addr::LOCALHOST, 0).into(), &reactor, ORIGIN)?;
        Ok(Self {
            reactor,
            ready: Vec::new(),
            origin,
            tls,
            fleets: Vec::new(),
            body: answer_body(),
            outstanding: 0,
        })
    }

    /// Where proxies find the origin.
    pub(crate) fn origin(&self) -> SocketAddr {
        self.origin.address()
    }

    /// A proxy to load.
    pub(crate) fn endpoint(&mut self, address: SocketAddr) -> Endpoint {
        self.fleets.push(Fleet {
            address,
            callers: Vec::new(),
            streams: Vec::new(),
            events: 0,
        });
        Endpoint(self.fleets.len() as u32)
    }

    /// Opens connections for [`Driver::run`].
    pub(crate) fn connect(&mut self, endpoint: Endpoint, count: usize) -> Result<()> {
        let fleet = &mut self.fleets[endpoint.0 as usize - 1];
        for index in 0..count as u32 {
            let caller = Caller::connect(fleet.address, &self.tls, index)?;
            let owner = endpoint.0;
            self.reactor
                .watch(caller.socket(), Token { owner, index })?;
            fleet.callers.push(Some(caller));
        }
        Ok(())
    }

    /// Calls in a closed loop on every connection for `duration`, then waits for what is under way.
    pub(crate) fn run(&mut self, endpoint: Endpoint, duration: Duration) -> Result<Slice> {
        let mut slice = Slice::default();
        let start_ns = monotonic_ns();
        let until_ns = start_ns + duration.as_nanos() as u64;
        self.outstanding = 0;
        let fleet = &mut self.fleets[endpoint.0 as usize - 1];
        for place in &mut fleet.callers {
            let called = place.as_mut().map(|caller| {
                caller.prepare()?;
                caller.flush()
            });
            match called {
                Some(Ok(())) => self.outstanding += 1,
                Some(Err(error)) => {
                    slice.failed(&error);
                    *place = None;
                }
                None => slice.failed(&anyhow::anyhow!("a connection was lost before")),
            }
        }
        while self.outstanding > 0 {
            let now_ns = monotonic_ns();
            if now_ns > until_ns + GRACE_NS {
                slice.failed(&anyhow::anyhow!("{} answers never came", self.outstanding));
                break;
            }
            self.turn(Duration::ZERO, &mut slice, until_ns)?;
        }
        slice.wall_ns = monotonic_ns() - start_ns;
        Ok(slice)
    }

    /// Opens event streams and waits until each has had its first event.
    pub(crate) fn open_streams(&mut self, endpoint: Endpoint, count: usize) -> Result<()> {
        for index in 0..count as u32 {
            let fleet = &mut self.fleets[endpoint.0 as usize - 1];
            let stream = Stream::open(fleet.address, &self.tls)?;
            let owner = endpoint.0;
            self.reactor
                .watch(stream.socket(), Token { owner, index })?;
            fleet.streams.push(Some(stream));
            self.idle(Duration::ZERO)?;
        }
        self.expect_events(endpoint, count)
    }

    /// Sends one event on every stream and waits until each has arrived.
    pub(crate) fn broadcast(&mut self, endpoint: Endpoint) -> Result<()> {
        self.fleets[endpoint.0 as usize - 1].events = 0;
        let sent = self.origin.broadcast();
        self.expect_events(endpoint, sent)
    }

    /// Closes the event streams.
    pub(crate) fn close_streams(&mut self, endpoint: Endpoint) {
        let fleet = &mut self.fleets[endpoint.0 as usize - 1];
        fleet.streams.clear();
        fleet.events = 0;
    }

    /// Serves origin and streams for `duration`; a stream that ends is an error.
    pub(crate) fn idle(&mut self, duration: Duration) -> Result<()> {
        let mut slice = Slice::default();
        let until_ns = monotonic_ns() + duration.as_nanos() as u64;
        loop {
            let left = Duration::from_nanos(until_ns.saturating_sub(monotonic_ns()));
            self.turn(left, &mut slice, 0)?;
            if let Some(error) = slice.first_error {
                anyhow::bail!("{error}");
            }
            if left.is_zero() {
                return Ok(());
            }
        }
    }

    fn expect_events(&mut self, endpoint: Endpoint, count: usize) -> Result<()> {
        let until_ns = monotonic_ns() + GRACE_NS;
        loop {
            let events = self.fleets[endpoint.0 as usize - 1].events;
            if events == count {
                return Ok(());
            }
            if monotonic_ns() > until_ns || events > count {
                anyhow::bail!("{events} events came instead of {count}");
            }
            self.idle(Duration::from_millis(10))?;
        }
    }

    /// Waits for readiness and serves it; calls are followed by another one before `until_ns`.
    fn turn(&mut self, timeout: Duration, slice: &mut Slice, until_ns: u64) -> Result<()> {
        check_interrupt()?;
        let timeout = timeout.min(LOOK);
        let timeout = self.origin.tick().map_or(timeout, |due| due.min(timeout));
        self.reactor.wait(timeout, &mut self.ready)?;
        let more = monotonic_ns() < until_ns;
        for token in &self.ready {
            if token.owner == ORIGIN {
                self.origin.ready(token.index, &self.reactor)?;
                continue;
            }
            let fleet = &mut self.fleets[token.owner as usize - 1];
            let index = token.index as usize;
            if let Some(Some(stream)) = fleet.streams.get_mut(index) {
                match stream.ready() {
                    Ok(events) => fleet.events += events,
                    Err(error) => {
                        slice.failed(&error.context("an event stream"));
                        fleet.streams[index] = None;
                    }
                }
            } else if let Some(place) = fleet.callers.get_mut(index)
                && let Some(caller) = place
            {
                let waited = caller.is_waiting();
                if let Err(error) = answer(caller, &self.body, slice, more) {
                    slice.failed(&error);
                    *place = None;
                }
                // A connection of a proxy that is not being loaded had no call to lose.
                let waits = place.as_ref().is_some_and(Caller::is_waiting);
                self.outstanding -= usize::from(waited && !waits);
            }
        }
        for token in &self.ready {
            if token.owner == ORIGIN {
                self.origin.flush(token.index);
                continue;
            }
            let fleet = &mut self.fleets[token.owner as usize - 1];
            if let Some(place) = fleet.callers.get_mut(token.index as usize)
                && let Some(caller) = place
                && let Err(error) = caller.flush()
            {
                slice.failed(&error);
                self.outstanding -= usize::from(caller.is_waiting());
                *place = None;
            }
        }
        Ok(())
    }
}

/// Takes what came; after a whole answer prepares the next call if there is to be `more`.
fn answer(
    caller: &mut Caller,
    body: &[u8; ANSWER_BYTES],
    slice: &mut Slice,
    more: bool,
) -> Result<()> {
    if let Some(latency_ns) = caller.ready(body)? {
        slice.answered(latency_ns);
        if more {
            caller.prepare()?;
        }
    }
    Ok(())
}

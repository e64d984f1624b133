//! The loop that drives generator and origin on one thread.
//!
//! Two things keep it from being the bottleneck, which would measure how proxies wait instead of
//! how they work. Under load it polls instead of sleeping, so that no proxy pays for waking it. And
//! a turn reads everything that is ready before it writes anything, so that a proxy that ran out of
//! work is woken once for a batch, not once for every message.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use rustls::ClientConfig;

use super::caller::Scratch;
use super::fleet::{Fleet, Way};
use super::schedule::Schedule;
use super::slice::Slice;
use super::slow::Pattern;
use super::speech::Language;
use super::stream::Stream;
use crate::clock::monotonic_ns;
use crate::measure::check_interrupt;
use crate::netns::enter;
use crate::origin::{ANSWER_BYTES, Origin, answer_body};
use crate::reactor::{Reactor, Token};

/// How long outstanding answers are waited for at the end of a slice.
const GRACE_NS: u64 = 5_000_000_000;
/// Longest wait between two looks at whether to go on at all.
const LOOK: Duration = Duration::from_millis(100);
/// Streams whose opening is under way at once.
const OPENING_MAX: usize = 64;
/// Token owner of the origin; endpoints follow.
const ORIGIN: u32 = 0;

/// Handle of a proxy under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(u32);

/// When calls are made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Each connection calls again once it is answered.
    Closed,
    /// So many a second, whatever the answers do; latency counts from the time at which a call was
    /// to be made.
    Open(f64),
}

/// The origin and every connection to every proxy.
pub(crate) struct Driver {
    reactor: Reactor,
    ready: Vec<Token>,
    origin: Origin,
    fleets: Vec<Fleet>,
    body: [u8; ANSWER_BYTES],
    scratch: Scratch,
    /// Whether another thread takes turns with this one on its CPU.
    gives_way: bool,
    /// Longest wait of a closed loop: none, so that no proxy pays for waking this thread.
    wait: Duration,
}

impl Driver {
    /// Nothing listens yet.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            reactor: Reactor::new()?,
            ready: Vec::new(),
            origin: Origin::new(ORIGIN),
            fleets: Vec::new(),
            body: answer_body(),
            scratch: Scratch::default(),
            gives_way: false,
            wait: Duration::ZERO,
        })
    }

    /// From now on waits in its sleep, as other generators do, for others on this CPU.
    pub(crate) fn sleep(&mut self) {
        self.wait = LOOK;
    }

    /// From now on lets others on this CPU have a turn after each of its own: who polls would keep
    /// them from theirs for milliseconds.
    pub(crate) fn give_way(&mut self) {
        self.gives_way = true;
    }

    /// Whether it has nothing to serve.
    pub(super) fn is_idle(&self) -> bool {
        self.origin.is_idle() && self.fleets.is_empty()
    }

    /// Has the origin listen on a free port of the loopback, for one proxy.
    pub(crate) fn origin(&mut self) -> Result<SocketAddr> {
        self.origin_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// The same on this address, beside other threads.
    pub(crate) fn origin_at(&mut self, address: SocketAddr) -> Result<SocketAddr> {
        Ok(self.origin.bind(address, &self.reactor)?)
    }

    /// The same inside a network namespace.
    pub(crate) fn origin_in(&mut self, netns: &str) -> Result<SocketAddr> {
        let _away = enter(netns)?;
        self.origin()
    }

    /// A proxy to load from inside a network namespace.
    pub(crate) fn endpoint_from(
        &mut self,
        netns: &str,
        address: SocketAddr,
        tls: &Arc<ClientConfig>,
    ) -> Endpoint {
        let endpoint = self.endpoint(address, tls);
        self.fleets[endpoint.0 as usize - 1].netns = Some(netns.to_owned());
        endpoint
    }

    /// A proxy to load.
    pub(crate) fn endpoint(&mut self, address: SocketAddr, tls: &Arc<ClientConfig>) -> Endpoint {
        self.fleets.push(Fleet::new(address, Arc::clone(tls)));
        Endpoint(self.fleets.len() as u32)
    }

    /// What is spoken with an endpoint, if not HTTP/1.1; for connections that are opened later.
    pub(crate) fn speak(&mut self, endpoint: Endpoint, language: Language) {
        self.fleets[endpoint.0 as usize - 1].language = language;
    }

    /// Opens connections for [`Driver::run`].
    pub(crate) fn connect(&mut self, endpoint: Endpoint, count: usize) -> Result<()> {
        let owner = endpoint.0;
        let number = owner as usize - 1;
        self.fleets[number].connect(count, owner, &self.reactor)?;
        // What opens a WebSocket comes from the origin, which is served here.
        let until_ns = monotonic_ns() + GRACE_NS;
        while !self.fleets[number].is_open() {
            if monotonic_ns() > until_ns {
                bail!("a connection does not get as far as its first call");
            }
            self.idle(Duration::from_millis(1))?;
        }
        Ok(())
    }

    /// Has slow clients come, who stay and go on whenever this thread does anything.
    pub(crate) fn slow(
        &mut self,
        endpoint: Endpoint,
        pattern: Pattern,
        count: usize,
    ) -> Result<()> {
        for _ in 0..count {
            let fleet = &mut self.fleets[endpoint.0 as usize - 1];
            let (address, tls) = (fleet.address, Arc::clone(&fleet.tls));
            fleet.slow.add(address, &tls, pattern, monotonic_ns())?;
            // So that they do not all do the same at the same time.
            self.idle(Duration::from_millis(1))?;
        }
        Ok(())
    }

    /// Has them leave.
    pub(crate) fn no_more_slow(&mut self, endpoint: Endpoint) {
        self.fleets[endpoint.0 as usize - 1].slow.clear();
    }

    /// From now on each call of this endpoint has a connection of its own, `count` at once.
    pub(crate) fn connect_each_time(&mut self, endpoint: Endpoint, count: usize) {
        self.fleets[endpoint.0 as usize - 1].connect_each_time(count);
    }

    /// From now on a connection that is lost between two calls is made anew.
    pub(crate) fn reconnect(&mut self, endpoint: Endpoint) {
        self.fleets[endpoint.0 as usize - 1].way = Way::Reconnect;
    }

    /// Calls for `duration`, then waits for what is under way.
    pub(crate) fn run(
        &mut self,
        endpoint: Endpoint,
        pace: Pace,
        duration: Duration,
    ) -> Result<Slice> {
        let mut slice = Slice::default();
        let start_ns = monotonic_ns();
        let until_ns = start_ns + duration.as_nanos() as u64;
        let owner = endpoint.0;
        let fleet = &mut self.fleets[owner as usize - 1];
        fleet.schedule = match pace {
            Pace::Closed => Schedule::closed(until_ns),
            Pace::Open(per_s) => Schedule::open(per_s, start_ns, until_ns),
        };
        fleet.begin(&mut slice, owner, &self.reactor);
        loop {
            let now_ns = monotonic_ns();
            let fleet = &mut self.fleets[owner as usize - 1];
            fleet.call_what_is_due(now_ns, &mut slice, owner, &self.reactor);
            if fleet.is_done(now_ns) {
                break;
            }
            if now_ns > until_ns + GRACE_NS {
                let lost = fleet.outstanding() + fleet.schedule.waiting();
                slice.failed(&anyhow!("{lost} answers never came"));
                slice.errors += lost.saturating_sub(1) as u64;
                fleet.give_up();
                break;
            }
            let wait = match pace {
                Pace::Closed => self.wait,
                Pace::Open(_) => Duration::ZERO,
            };
            self.turn(wait, &mut slice)?;
        }
        slice.wall_ns = monotonic_ns() - start_ns;
        if let Some(error) = self.fleets[owner as usize - 1].slow.fault() {
            slice.failed(&error);
        }
        Ok(slice)
    }

    /// Opens event streams and waits until each has had its first event.
    pub(crate) fn open_streams(&mut self, endpoint: Endpoint, count: usize) -> Result<()> {
        let owner = endpoint.0;
        let mut patience_ns = monotonic_ns() + GRACE_NS;
        let mut seen = 0;
        loop {
            let fleet = &mut self.fleets[owner as usize - 1];
            let begun = fleet.streams_begun();
            while fleet.streams.len() < count.min(begun + OPENING_MAX) {
                let stream = Stream::open(fleet.address, &fleet.tls)?;
                let index = fleet.streams.len() as u32;
                self.reactor
                    .watch(stream.socket(), Token { owner, index })?;
                fleet.streams.push(Some(stream));
            }
            if begun == count {
                fleet.delays_us.reset();
                return Ok(());
            }
            if begun > seen {
                (seen, patience_ns) = (begun, monotonic_ns() + GRACE_NS);
            }
            if monotonic_ns() > patience_ns {
                bail!("{begun} of {count} streams have had their first event");
            }
            self.idle(Duration::from_millis(1))?;
        }
    }

    /// Sends `per_s` events a second on all streams of the proxy that knows the origin by this
    /// address, each in turn, for `duration`; returns how many it were.
    pub(crate) fn send_events(
        &mut self,
        origin: SocketAddr,
        per_s: f64,
        duration: Duration,
    ) -> Result<u64> {
        self.origin.start_pace(origin, per_s);
        let mut slice = Slice::default();
        let until_ns = monotonic_ns() + duration.as_nanos() as u64;
        while monotonic_ns() < until_ns {
            self.turn(Duration::ZERO, &mut slice)?;
        }
        Ok(self.origin.stop_pace())
    }

    /// Serves streams until as many events have come as `sent` says at its end, whose latency is the
    /// delay from the origin to here. Until then `sent` is [`u64::MAX`].
    pub(crate) fn receive_events(&mut self, endpoint: Endpoint, sent: &AtomicU64) -> Result<Slice> {
        let mut slice = Slice::default();
        let start_ns = monotonic_ns();
        let number = endpoint.0 as usize - 1;
        let mut until_ns = u64::MAX;
        loop {
            self.turn(Duration::ZERO, &mut slice)?;
            let sent = sent.load(Ordering::Acquire);
            let came = self.fleets[number].delays_us.len();
            if came >= sent {
                break;
            }
            let now_ns = monotonic_ns();
            if sent < u64::MAX && until_ns == u64::MAX {
                until_ns = now_ns + GRACE_NS;
            }
            if now_ns > until_ns {
                slice.failed(&anyhow!("{came} of {sent} events came"));
                break;
            }
        }
        let delays_us = &mut self.fleets[number].delays_us;
        slice.requests = delays_us.len();
        slice.latency_us.add(&*delays_us)?;
        delays_us.reset();
        slice.wall_ns = monotonic_ns() - start_ns;
        Ok(slice)
    }

    /// Waits once for something to serve.
    pub(super) fn serve_once(&mut self, timeout: Duration) -> Result<()> {
        self.turn(timeout, &mut Slice::default())
    }

    /// Closes the event streams.
    pub(crate) fn close_streams(&mut self, endpoint: Endpoint) {
        self.fleets[endpoint.0 as usize - 1].streams.clear();
    }

    /// Serves origin and streams for `duration`; a stream that ends is an error.
    pub(crate) fn idle(&mut self, duration: Duration) -> Result<()> {
        let mut slice = Slice::default();
        let until_ns = monotonic_ns() + duration.as_nanos() as u64;
        loop {
            let left = Duration::from_nanos(until_ns.saturating_sub(monotonic_ns()));
            self.turn(left, &mut slice)?;
            if let Some(error) = slice.first_error {
                bail!("{error}");
            }
            if left.is_zero() {
                return Ok(());
            }
        }
    }

    /// Waits for readiness and serves it.
    fn turn(&mut self, timeout: Duration, slice: &mut Slice) -> Result<()> {
        check_interrupt()?;
        if self.gives_way {
            thread::yield_now();
        }
        let mut timeout = timeout.min(LOOK);
        timeout = self.origin.tick().map_or(timeout, |due| due.min(timeout));
        let now_ns = monotonic_ns();
        for fleet in &mut self.fleets {
            fleet.slow.step(now_ns, &self.body, &mut self.scratch);
            timeout = fleet
                .slow
                .wait(now_ns)
                .map_or(timeout, |due| due.min(timeout));
        }
        self.reactor.wait(timeout, &mut self.ready)?;
        for token in &self.ready {
            match token.owner {
                ORIGIN => self.origin.ready(token.index, &self.reactor)?,
                owner => self.fleets[owner as usize - 1].ready(
                    *token,
                    &self.body,
                    slice,
                    &self.reactor,
                    &mut self.scratch,
                ),
            }
        }
        for token in &self.ready {
            match token.owner {
                ORIGIN => self.origin.flush(token.index, &self.reactor),
                owner => self.fleets[owner as usize - 1].flush(*token, slice, &self.reactor),
            }
        }
        Ok(())
    }
}

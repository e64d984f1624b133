//! All connections to one proxy.

use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use rustls::ClientConfig;

use super::caller::{Caller, Scratch};
use super::schedule::Schedule;
use super::slice::{LATENCY_US_MAX, Slice};
use super::slow::Slow;
use super::speech::Language;
use super::stream::Stream;
use crate::clock::monotonic_ns;
use crate::netns::enter;
use crate::origin::ANSWER_BYTES;
use crate::reactor::{Reactor, Token};

/// What a call does for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Takes one of those that are open; one that is lost is an error and leaves its place empty.
    KeepAlive,
    /// The same, but a connection that ends between two calls is made anew.
    Reconnect,
    /// Makes one, and closes it after the answer.
    EachTime,
}

/// Connections to one proxy.
pub(super) struct Fleet {
    pub(super) address: SocketAddr,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) way: Way,
    pub(super) language: Language,
    /// Clients that take or give little at a time, whatever the others do.
    pub(super) slow: Slow,
    pub(super) schedule: Schedule,
    pub(super) streams: Vec<Option<Stream>>,
    /// From the origin to the client, of events.
    pub(super) delays_us: Histogram<u64>,
    /// The network namespace that connections come from, if not this one.
    pub(super) netns: Option<String>,
    callers: Vec<Option<Caller>>,
    /// Places of callers that can make a call, once for each call that they can make.
    free: Vec<u32>,
    /// Room for those that have just been given a call.
    prepared: Vec<u32>,
    outstanding: usize,
    /// Numbers calls.
    serial: u64,
}

impl Fleet {
    pub(super) fn new(address: SocketAddr, tls: Arc<ClientConfig>) -> Self {
        Self {
            address,
            tls,
            way: Way::KeepAlive,
            language: Language::default(),
            slow: Slow::default(),
            schedule: Schedule::default(),
            streams: Vec::new(),
            delays_us: Histogram::new_with_max(LATENCY_US_MAX, 3).expect("valid constants"),
            netns: None,
            callers: Vec::new(),
            free: Vec::new(),
            prepared: Vec::new(),
            outstanding: 0,
            serial: 0,
        }
    }

    pub(super) fn connect(&mut self, count: usize, owner: u32, reactor: &Reactor) -> Result<()> {
        let _away = self.netns.as_deref().map(enter).transpose()?;
        for _ in 0..count {
            let caller = Caller::connect(self.address, &self.tls, self.language)?;
            let index = self.callers.len() as u32;
            reactor.watch(caller.socket(), Token { owner, index })?;
            self.callers.push(Some(caller));
        }
        Ok(())
    }

    pub(super) fn connect_each_time(&mut self, count: usize) {
        self.way = Way::EachTime;
        self.callers = (0..count).map(|_| None).collect();
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    pub(super) fn is_done(&self, now_ns: u64) -> bool {
        self.outstanding == 0 && (self.schedule.is_over(now_ns) || self.free.is_empty())
    }

    /// Whether calls can be made on every connection.
    pub(super) fn is_open(&self) -> bool {
        self.callers.iter().flatten().all(Caller::is_open)
    }

    pub(super) fn streams_begun(&self) -> usize {
        let streams = self.streams.iter().flatten();
        streams.filter(|stream| stream.has_begun()).count()
    }

    /// At the start of a slice: who may call.
    pub(super) fn begin(&mut self, slice: &mut Slice, owner: u32, reactor: &Reactor) {
        self.outstanding = 0;
        self.free.clear();
        // Each connection gets its first call before any gets its second.
        for _ in 0..self.language.calls_max() {
            self.free.extend((0..self.callers.len() as u32).rev());
        }
        for index in (0..self.callers.len() as u32).rev() {
            match (&self.callers[index as usize], self.way) {
                (Some(_), _) | (None, Way::EachTime) => {}
                (None, Way::Reconnect) => {
                    self.free.retain(|&free| free != index);
                    self.renew(index, slice, owner, reactor);
                }
                (None, Way::KeepAlive) => {
                    self.free.retain(|&free| free != index);
                    slice.failed(&anyhow!("a connection was lost before"));
                }
            }
        }
    }

    /// At the end of a slice that had no end: what hangs is not waited for in the next one.
    pub(super) fn give_up(&mut self) {
        for place in &mut self.callers {
            place.take_if(|caller| caller.under_way() > 0);
        }
        self.schedule = Schedule::default();
        self.outstanding = 0;
    }

    /// Has free connections make the calls that are due, and sends them.
    pub(super) fn call_what_is_due(
        &mut self,
        now_ns: u64,
        slice: &mut Slice,
        owner: u32,
        reactor: &Reactor,
    ) {
        self.schedule.advance(now_ns);
        let mut prepared = mem::take(&mut self.prepared);
        while let Some(index) = self.free.pop() {
            let Some(since_ns) = self.schedule.take(now_ns) else {
                self.free.push(index);
                break;
            };
            if let Err(error) = self.call(index, since_ns, owner, reactor) {
                self.lost(index, &error, slice, owner, reactor);
                // Who cannot connect now need not try again at once.
                break;
            }
            prepared.push(index);
        }
        // Calls that share a connection are sent as one.
        for index in prepared.drain(..) {
            self.flush(Token { owner, index }, slice, reactor);
        }
        self.prepared = prepared;
    }

    fn call(&mut self, index: u32, since_ns: u64, owner: u32, reactor: &Reactor) -> Result<()> {
        self.serial += 1;
        let place = &mut self.callers[index as usize];
        if self.way == Way::EachTime {
            let _away = self.netns.as_deref().map(enter).transpose()?;
            let caller = Caller::start(self.address, &self.tls)?;
            reactor.watch(caller.socket(), Token { owner, index })?;
            *place = Some(caller);
        }
        let caller = place.as_mut().context("no connection")?;
        caller.prepare(self.serial, since_ns)?;
        self.outstanding += 1;
        Ok(())
    }

    /// Takes what has come on a connection.
    pub(super) fn ready(
        &mut self,
        token: Token,
        body: &[u8; ANSWER_BYTES],
        slice: &mut Slice,
        reactor: &Reactor,
        scratch: &mut Scratch,
    ) {
        let (owner, index) = (token.owner, token.index as usize);
        if let Some(Some(stream)) = self.streams.get_mut(index) {
            let delays_us = &mut self.delays_us;
            let now_us = monotonic_ns() / 1000;
            let seen = |sent_us| delays_us.saturating_record(now_us.saturating_sub(sent_us));
            if let Err(error) = stream.ready(&mut scratch.wire, seen) {
                slice.failed(&error.context("an event stream"));
                self.streams[index] = None;
            }
            return;
        }
        let Some(Some(caller)) = self.callers.get_mut(index) else {
            return;
        };
        scratch.done.clear();
        let read = caller.ready(body, scratch);
        // The end of a connection may come with the answer before it.
        let under_way = caller.under_way();
        let (is_last, is_resumed) = (caller.is_last(), caller.is_resumed());
        if !scratch.done.is_empty() {
            let now_ns = monotonic_ns();
            for since_ns in &scratch.done {
                slice.answered(now_ns.saturating_sub(*since_ns));
                slice.resumed += u64::from(is_resumed);
            }
            self.outstanding -= scratch.done.len();
        }
        match (read, self.way) {
            (Ok(()), _) if scratch.done.is_empty() => {}
            (_, Way::EachTime) if !scratch.done.is_empty() => {
                if let Some(caller) = self.callers[index].take() {
                    caller.close();
                }
                self.again(token.index, slice, owner, reactor);
            }
            (Ok(()), Way::Reconnect) if is_last => {
                slice.reconnected += 1;
                self.renew(token.index, slice, owner, reactor);
            }
            (Ok(()), _) => {
                for _ in 0..scratch.done.len() {
                    self.again(token.index, slice, owner, reactor);
                }
            }
            (Err(_), Way::Reconnect) if under_way == 0 => {
                slice.reconnected += 1;
                self.callers[index] = None;
                self.free.retain(|&free| free as usize != index);
                self.renew(token.index, slice, owner, reactor);
            }
            (Err(error), _) => self.lost(token.index, &error, slice, owner, reactor),
        }
    }

    /// A connection is free: the next call is prepared, or it waits for one.
    fn again(&mut self, index: u32, slice: &mut Slice, owner: u32, reactor: &Reactor) {
        let next = match self.way {
            // A handshake is begun outside of the turn, whose sockets are being looked through.
            Way::EachTime => None,
            Way::KeepAlive | Way::Reconnect => self.schedule.take(monotonic_ns()),
        };
        let Some(since_ns) = next else {
            self.free.push(index);
            return;
        };
        self.serial += 1;
        let serial = self.serial;
        let caller = self.callers[index as usize].as_mut();
        match caller.map(|caller| caller.prepare(serial, since_ns)) {
            Some(Ok(())) => self.outstanding += 1,
            Some(Err(error)) => self.lost(index, &error, slice, owner, reactor),
            None => {}
        }
    }

    /// Sends what [`Fleet::ready`] prepared.
    pub(super) fn flush(&mut self, token: Token, slice: &mut Slice, reactor: &Reactor) {
        let index = token.index as usize;
        if let Some(Some(stream)) = self.streams.get_mut(index) {
            if let Err(error) = stream.flush() {
                slice.failed(&error.context("an event stream"));
                self.streams[index] = None;
            }
            return;
        }
        if let Some(Some(caller)) = self.callers.get_mut(index)
            && let Err(error) = caller.flush()
        {
            self.lost(token.index, &error, slice, token.owner, reactor);
        }
    }

    /// A connection has failed, with all calls on it.
    fn lost(
        &mut self,
        index: u32,
        error: &anyhow::Error,
        slice: &mut Slice,
        owner: u32,
        reactor: &Reactor,
    ) {
        slice.failed(error);
        if let Some(caller) = self.callers[index as usize].take() {
            self.outstanding -= caller.under_way();
        }
        self.free.retain(|&free| free != index);
        match self.way {
            Way::KeepAlive => {}
            Way::EachTime => self.free.push(index),
            Way::Reconnect => self.renew(index, slice, owner, reactor),
        }
    }

    /// Connects anew; the handshake goes on beside other calls, with the first one.
    fn renew(&mut self, index: u32, slice: &mut Slice, owner: u32, reactor: &Reactor) {
        let start = || {
            let _away = self.netns.as_deref().map(enter).transpose()?;
            let caller = Caller::start(self.address, &self.tls)?;
            reactor.watch(caller.socket(), Token { owner, index })?;
            anyhow::Ok(caller)
        };
        match start() {
            Ok(caller) => {
                self.callers[index as usize] = Some(caller);
                self.free.push(index);
            }
            Err(error) => slice.failed(&error),
        }
    }
}

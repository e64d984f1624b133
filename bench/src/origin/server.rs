//! The origin's listener and its connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use super::connection::{Connection, Flushed, Scratch, Turn};
use super::pace::Pace;
use super::ticker::Ticker;
use crate::clock::monotonic_ns;
use crate::reactor::{Reactor, Token};

/// Listeners count their token indexes down from here; connections count from 0.
const LISTENER: u32 = u32::MAX;
/// Events sent in a turn by pace, so that who is behind still reads.
const PACED_MAX: usize = 64;
/// Listeners at most, each for one proxy.
const LISTENERS_MAX: usize = 64;

/// A place for a connection, used again after it closed.
#[derive(Default)]
struct Place {
    connection: Option<Connection>,
    generation: u32,
    /// Which listener it came in by.
    group: usize,
    /// Whether it is watched for room to send.
    sending: bool,
}

/// An HTTP/1.1 server driven by whoever owns the [`Reactor`].
pub(crate) struct Origin {
    listeners: Vec<TcpListener>,
    owner: u32,
    places: Vec<Place>,
    free: Vec<u32>,
    ticker: Ticker,
    pace: Option<Pace>,
    scratch: Scratch,
}

impl Origin {
    /// An origin whose tokens carry `owner`.
    pub(crate) fn new(owner: u32) -> Self {
        Self {
            listeners: Vec::new(),
            owner,
            places: Vec::new(),
            free: Vec::new(),
            ticker: Ticker::default(),
            pace: None,
            scratch: Scratch::default(),
        }
    }

    /// Listens on one more address: each proxy gets its own, so that each has as many ports to come
    /// from, and its streams can be told from others. Returns the address.
    pub(crate) fn bind(
        &mut self,
        address: SocketAddr,
        reactor: &Reactor,
    ) -> io::Result<SocketAddr> {
        assert!(self.listeners.len() < LISTENERS_MAX, "one for each proxy");
        let listener = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            None,
        )?;
        listener.set_reuse_address(true)?;
        // Threads of a load listen on one address.
        listener.set_reuse_port(true)?;
        listener.bind(&address.into())?;
        // Thousands of streams are opened as fast as can be.
        listener.listen(4096)?;
        let listener = TcpListener::from(listener);
        listener.set_nonblocking(true)?;
        let index = LISTENER - self.listeners.len() as u32;
        let owner = self.owner;
        reactor.watch(&listener, Token { owner, index })?;
        let address = listener.local_addr()?;
        self.listeners.push(listener);
        Ok(address)
    }

    /// Whether it serves nobody, and will not.
    pub(crate) fn is_idle(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Reads from the socket behind a token of this origin; [`Origin::flush`] sends the answers.
    pub(crate) fn ready(&mut self, index: u32, reactor: &Reactor) -> io::Result<()> {
        let listener = (LISTENER - index) as usize;
        if listener < self.listeners.len() {
            return self.accept(listener, reactor);
        }
        let Some(place) = self.places.get_mut(index as usize) else {
            return Ok(());
        };
        let Some(connection) = &mut place.connection else {
            return Ok(());
        };
        match connection.ready(&mut self.scratch, now_us) {
            Turn::Kept | Turn::Streaming { interval_ms: 0 } => {}
            Turn::Streaming { interval_ms } => {
                let generation = place.generation;
                self.ticker
                    .start(index, generation, interval_ms, monotonic_ns());
            }
            Turn::Closed => self.close(index),
        }
        Ok(())
    }

    /// Sends the events that are due; returns how long none will be.
    pub(crate) fn tick(&mut self) -> Option<Duration> {
        let mut now_ns = monotonic_ns();
        while let Some(due) = self.ticker.pop(now_ns) {
            let place = &mut self.places[due.index as usize];
            if place.generation != due.generation {
                continue;
            }
            let Some(connection) = &mut place.connection else {
                continue;
            };
            match connection.send_event(now_us()) {
                Ok(()) => self.ticker.again(due),
                Err(_) => self.close(due.index),
            }
            now_ns = monotonic_ns();
        }
        let paced = self.keep_pace();
        let ticked = self.ticker.wait(now_ns);
        match (paced, ticked) {
            (Some(paced), Some(ticked)) => Some(paced.min(ticked)),
            (paced, ticked) => paced.or(ticked),
        }
    }

    /// From now on sends so many events a second on the streams of the listener at `address`, one
    /// stream after the other.
    pub(crate) fn start_pace(&mut self, address: SocketAddr, per_s: f64) {
        let group = self
            .listeners
            .iter()
            .position(|listener| listener.local_addr().is_ok_and(|own| own == address));
        let streams = self.places.iter().enumerate().filter(|(_, place)| {
            Some(place.group) == group
                && place.connection.as_ref().is_some_and(Connection::is_stream)
        });
        self.pace = Some(Pace::new(
            streams.map(|(index, _)| index as u32).collect(),
            per_s,
            monotonic_ns(),
        ));
    }

    /// No more of that; returns how many events were sent.
    pub(crate) fn stop_pace(&mut self) -> u64 {
        self.pace.take().map_or(0, |pace| pace.sent())
    }

    /// Sends what is due by the pace; returns how long nothing will be.
    fn keep_pace(&mut self) -> Option<Duration> {
        for _ in 0..PACED_MAX {
            let pace = self.pace.as_mut()?;
            let now_ns = monotonic_ns();
            let Some(index) = pace.pop(now_ns) else {
                return pace.wait(now_ns);
            };
            let place = &mut self.places[index as usize];
            if let Some(connection) = &mut place.connection
                && connection.send_event(now_us()).is_err()
            {
                self.close(index);
            }
        }
        Some(Duration::ZERO)
    }

    /// Sends what [`Origin::ready`] prepared for this token.
    pub(crate) fn flush(&mut self, index: u32, reactor: &Reactor) {
        let Some(place) = self.places.get_mut(index as usize) else {
            return;
        };
        let Some(connection) = &mut place.connection else {
            return;
        };
        let owner = self.owner;
        let flushed = connection.flush().and_then(|flushed| {
            let sending = flushed == Flushed::Partly;
            if sending != place.sending {
                reactor.watch_room(connection.socket(), Token { owner, index }, sending)?;
                place.sending = sending;
            }
            Ok(())
        });
        if flushed.is_err() {
            self.close(index);
        }
    }

    fn accept(&mut self, group: usize, reactor: &Reactor) -> io::Result<()> {
        loop {
            let socket = match self.listeners[group].accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or_else(|| {
                self.places.push(Place::default());
                self.places.len() as u32 - 1
            });
            let owner = self.owner;
            reactor.watch(&socket, Token { owner, index })?;
            let place = &mut self.places[index as usize];
            place.connection = Some(Connection::new(socket));
            place.group = group;
            place.sending = false;
        }
    }

    fn close(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        place.connection = None;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(index);
    }
}

/// The clock of every process of this machine: the generator compares with it.
fn now_us() -> u64 {
    monotonic_ns() / 1000
}

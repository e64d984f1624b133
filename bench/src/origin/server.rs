//! The origin's listener and its connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::connection::{Connection, Scratch, Turn};
use super::ticker::Ticker;
use crate::clock::monotonic_ns;
use crate::reactor::{Reactor, Token};

/// The token index of the listener; connections count from 0.
const LISTENER: u32 = u32::MAX;

/// A place for a connection, used again after it closed.
#[derive(Default)]
struct Place {
    connection: Option<Connection>,
    generation: u32,
}

/// An HTTP/1.1 server driven by whoever owns the [`Reactor`].
pub(crate) struct Origin {
    listener: TcpListener,
    address: SocketAddr,
    owner: u32,
    places: Vec<Place>,
    free: Vec<u32>,
    ticker: Ticker,
    scratch: Scratch,
}

impl Origin {
    /// Listens; its tokens carry `owner`.
    pub(crate) fn bind(address: SocketAddr, reactor: &Reactor, owner: u32) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let index = LISTENER;
        reactor.watch(&listener, Token { owner, index })?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            owner,
            places: Vec::new(),
            free: Vec::new(),
            ticker: Ticker::default(),
            scratch: Scratch::default(),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads from the socket behind a token of this origin; [`Origin::flush`] sends the answers.
    pub(crate) fn ready(&mut self, index: u32, reactor: &Reactor) -> io::Result<()> {
        if index == LISTENER {
            return self.accept(reactor);
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
        self.ticker.wait(now_ns)
    }

    /// Sends one event on every open stream; returns how many there are.
    pub(crate) fn broadcast(&mut self) -> usize {
        let mut streams = 0;
        for place in &mut self.places {
            if let Some(connection) = place.connection.as_mut().filter(|c| c.is_stream())
                && connection.send_event(now_us()).is_ok()
            {
                streams += 1;
            }
        }
        streams
    }

    /// Sends what [`Origin::ready`] prepared for this token.
    pub(crate) fn flush(&mut self, index: u32) {
        let place = self.places.get_mut(index as usize);
        let connection = place.and_then(|place| place.connection.as_mut());
        if connection.is_some_and(|connection| connection.flush().is_err()) {
            self.close(index);
        }
    }

    fn accept(&mut self, reactor: &Reactor) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
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
            self.places[index as usize].connection = Some(Connection::new(socket));
        }
    }

    fn close(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        place.connection = None;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(index);
    }
}

fn now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as u64)
}

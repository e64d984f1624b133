//! A connection that many exchanges share.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::Notify;

use crate::clock::coarse_ns;
use crate::tls;
use crate::upstream::UpstreamError;

/// A connection: being opened, open, or of no use for new streams.
pub(in crate::upstream) struct Link {
    state: RefCell<State>,
    /// Leased to exchanges.
    streams: Cell<usize>,
    /// An exchange has been on it.
    pub(super) used: Cell<bool>,
    /// Its end was counted against the server.
    blamed: Cell<bool>,
    pub(super) idle_since_ns: Cell<u64>,
    /// Told when opening has ended.
    changed: Notify,
    /// Told when nobody has it any more.
    gone: Rc<Notify>,
}

enum State {
    Opening,
    Open(SendRequest<Bytes>),
    /// The streams that it has may end; it gets no other.
    Retired,
    Failed(UpstreamError),
}

impl Link {
    pub(super) fn opening() -> Rc<Link> {
        Rc::new(Link {
            state: RefCell::new(State::Opening),
            streams: Cell::new(0),
            used: Cell::new(false),
            blamed: Cell::new(false),
            idle_since_ns: Cell::new(coarse_ns()),
            changed: Notify::new(),
            gone: Rc::default(),
        })
    }

    pub(super) fn gone(&self) -> Rc<Notify> {
        Rc::clone(&self.gone)
    }

    /// Opening has succeeded.
    pub(super) fn opened(&self, requests: SendRequest<Bytes>) {
        self.enter(State::Open(requests));
    }

    /// Opening has failed.
    pub(super) fn failed(&self, error: UpstreamError) {
        self.enter(State::Failed(error));
    }

    /// It gets no new stream.
    pub(in crate::upstream) fn retire(&self) {
        self.enter(State::Retired);
    }

    fn enter(&self, state: State) {
        *self.state.borrow_mut() = state;
        self.changed.notify_waiters();
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(*self.state.borrow(), State::Opening)
    }

    /// Whether it may get streams; finds out that the server has said GOAWAY or closed.
    pub(super) fn is_open(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let State::Open(requests) = &mut *state else {
            return false;
        };
        let mut nobody = Context::from_waker(Waker::noop());
        if let Poll::Ready(Err(_)) = requests.poll_ready(&mut nobody) {
            *state = State::Retired;
            return false;
        }
        true
    }

    /// Whether it has ended, and that was counted before: all its streams tell of one end.
    pub(in crate::upstream) fn was_blamed(&self) -> bool {
        !self.is_open() && self.blamed.replace(true)
    }

    /// Whether one more stream fits in, of at most `streams_max`.
    pub(super) fn has_room(&self, streams_max: usize) -> bool {
        self.streams.get() < self.most(streams_max)
    }

    /// How many streams it may have, of at most `streams_max`.
    fn most(&self, streams_max: usize) -> usize {
        match &*self.state.borrow() {
            State::Opening => streams_max,
            State::Open(requests) => requests.current_max_send_streams().min(streams_max),
            State::Retired | State::Failed(_) => 0,
        }
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.get()
    }

    /// What opens streams; `None` once it is of no use for that.
    pub(super) fn requests(&self) -> Option<SendRequest<Bytes>> {
        match &*self.state.borrow() {
            State::Open(requests) => Some(requests.clone()),
            _ => None,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.gone.notify_one();
    }
}

/// A place for one stream.
pub(in crate::upstream) struct Hold(Rc<Link>);

impl Hold {
    pub(super) fn of(link: &Rc<Link>) -> Hold {
        link.streams.set(link.streams.get() + 1);
        Hold(Rc::clone(link))
    }

    pub(in crate::upstream) fn link(&self) -> &Link {
        &self.0
    }

    /// Whether an exchange has been on the connection before.
    pub(in crate::upstream) fn is_reused(&self) -> bool {
        self.0.used.replace(true)
    }

    /// Whether the connection may have as many streams as are leased on it.
    pub(in crate::upstream) fn fits(&self, streams_max: usize) -> bool {
        self.0.streams.get() <= self.0.most(streams_max)
    }

    /// Waits until the connection has been opened.
    pub(in crate::upstream) async fn opened(&self) -> Result<(), UpstreamError> {
        loop {
            let changed = self.0.changed.notified();
            match &*self.0.state.borrow() {
                State::Opening => {}
                State::Open(_) => return Ok(()),
                State::Retired => return Err(UpstreamError::Closed),
                State::Failed(error) => return Err(again(error)),
            }
            changed.await;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.idle_since_ns.set(coarse_ns());
    }
}

/// What has kept a connection from being opened, for each who waited for it.
fn again(error: &UpstreamError) -> UpstreamError {
    match error {
        UpstreamError::ConnectTimeout => UpstreamError::ConnectTimeout,
        UpstreamError::Tls(error) => UpstreamError::Tls(tls::repeat(error)),
        UpstreamError::Connect(error) => UpstreamError::Connect(error.kind().into()),
        other => UpstreamError::Connect(io::Error::other(other.to_string())),
    }
}

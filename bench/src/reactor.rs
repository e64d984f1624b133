//! One epoll that the origin and the load generator share.
//!
//! Both ends of a measurement run on the same core. As two threads they would preempt each other
//! at every exchange; in one loop they cost only their system calls, and leave the proxy on the
//! other core as the bottleneck.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Events taken from the kernel at a time.
const BATCH: usize = 256;

/// Which part of the program a socket belongs to, and which socket of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) owner: u32,
    pub(crate) index: u32,
}

impl Token {
    fn data(self) -> u64 {
        u64::from(self.owner) << 32 | u64::from(self.index)
    }
}

/// Level-triggered readiness to read.
pub(crate) struct Reactor {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

impl Reactor {
    pub(crate) fn new() -> nix::Result<Self> {
        Ok(Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            events: vec![EpollEvent::empty(); BATCH],
        })
    }

    /// Reports `token` whenever there is something to read; closing the socket ends it.
    pub(crate) fn watch(&self, socket: impl AsFd, token: Token) -> nix::Result<()> {
        self.epoll
            .add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token.data()))
    }

    /// From now on also reports, or no more, whenever there is room to send.
    pub(crate) fn watch_room(&self, socket: impl AsFd, token: Token, on: bool) -> nix::Result<()> {
        let room = if on {
            EpollFlags::EPOLLOUT
        } else {
            EpollFlags::empty()
        };
        let mut event = EpollEvent::new(EpollFlags::EPOLLIN | room, token.data());
        self.epoll.modify(socket, &mut event)
    }

    /// A descriptor that can be read from whenever [`Reactor::wait`] would not have to wait.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.epoll.0.try_clone()
    }

    /// Waits at most `timeout` for sockets to become readable.
    pub(crate) fn wait(&mut self, timeout: Duration, ready: &mut Vec<Token>) -> nix::Result<()> {
        let timeout = EpollTimeout::try_from(timeout).unwrap_or(EpollTimeout::MAX);
        let count = match self.epoll.wait(&mut self.events, timeout) {
            Err(Errno::EINTR) => 0,
            count => count?,
        };
        ready.clear();
        ready.extend(self.events[..count].iter().map(|event| Token {
            owner: (event.data() >> 32) as u32,
            index: event.data() as u32,
        }));
        Ok(())
    }
}

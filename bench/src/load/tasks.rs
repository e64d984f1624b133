//! Generator and origin as tasks of one thread, for HTTP/3, whose client is a library.
//!
//! The origin's epoll is one more descriptor of the runtime's. While there is load a task that does
//! nothing keeps the runtime from sleeping, so that no proxy pays for waking it.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::future::join_all;
use rustls::ClientConfig;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

use super::bulk::Direction;
use super::call;
use super::h3;
use super::slice::Slice;
use crate::clock::monotonic_ns;
use crate::measure::check_interrupt;
use crate::origin::{ANSWER_BYTES, NONCE_BYTES, Origin, answer_body};
use crate::reactor::Reactor;

/// For what is under way at the end of a slice.
const GRACE: Duration = Duration::from_secs(10);
/// For a large body.
const BULK_PATIENCE: Duration = Duration::from_secs(300);
/// Token owner of the origin.
const ORIGIN: u32 = 0;
/// Longest wait between two looks at whether to go on at all.
const LOOK: Duration = Duration::from_millis(100);

/// The origin and the connections to every proxy.
pub(crate) struct Tasks {
    runtime: Runtime,
    local: LocalSet,
    origin: Rc<RefCell<(Origin, Reactor)>>,
    /// By proxy.
    fleets: Vec<Vec<h3::Client>>,
    serial: Rc<Cell<u64>>,
}

impl Tasks {
    /// Nothing listens yet.
    pub(crate) fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let local = LocalSet::new();
        let origin = Rc::new(RefCell::new((Origin::new(ORIGIN), Reactor::new()?)));
        let served = Rc::clone(&origin);
        local.spawn_local(async move {
            // Without it nothing is answered, which does not stay unnoticed.
            if let Err(error) = serve(&served).await {
                eprintln!("the origin has failed: {error:#}");
            }
        });
        Ok(Self {
            runtime,
            local,
            origin,
            fleets: Vec::new(),
            serial: Rc::default(),
        })
    }

    /// Has the origin listen on a free port of the loopback, for one proxy.
    pub(crate) fn origin(&mut self) -> Result<SocketAddr> {
        let mut origin = self.origin.borrow_mut();
        let (origin, reactor) = &mut *origin;
        Ok(origin.bind((Ipv4Addr::LOCALHOST, 0).into(), reactor)?)
    }

    /// Opens connections to a proxy; returns its number.
    pub(crate) fn connect(
        &mut self,
        address: SocketAddr,
        tls: &ClientConfig,
        count: usize,
    ) -> Result<usize> {
        let clients = self.local.block_on(&self.runtime, async {
            let endpoint = h3::endpoint(tls)?;
            let mut clients = Vec::new();
            for _ in 0..count {
                clients.push(h3::connect(&endpoint, address).await?);
            }
            anyhow::Ok(clients)
        })?;
        self.fleets.push(clients);
        Ok(self.fleets.len() - 1)
    }

    /// Calls in a closed loop on so many streams of every connection for `duration`, then waits for
    /// what is under way.
    pub(crate) fn run(
        &mut self,
        fleet: usize,
        streams: usize,
        duration: Duration,
    ) -> Result<Slice> {
        check_interrupt()?;
        let slice = Rc::new(RefCell::new(Slice::default()));
        let start_ns = monotonic_ns();
        let until_ns = start_ns + duration.as_nanos() as u64;
        let loops = self.fleets[fleet].iter().flat_map(|client| {
            (0..streams).map(|_| {
                let (client, slice) = (client.clone(), Rc::clone(&slice));
                let serial = Rc::clone(&self.serial);
                async move {
                    if let Err(error) = call_until(client, until_ns, &serial, &slice).await {
                        slice.borrow_mut().failed(&error);
                    }
                }
            })
        });
        let loops: Vec<_> = loops.collect();
        let done = Rc::new(Cell::new(false));
        let awake = Rc::clone(&done);
        let whole = self.local.block_on(&self.runtime, async {
            spawn_local(async move {
                while !awake.get() {
                    yield_now().await;
                }
            });
            let tasks = join_all(loops.into_iter().map(spawn_local));
            let whole = timeout(duration + GRACE, tasks).await;
            done.set(true);
            whole
        });
        if whole.is_err() {
            bail!("answers did not come");
        }
        let mut slice = slice.take();
        slice.wall_ns = monotonic_ns() - start_ns;
        Ok(slice)
    }

    /// Calls once every `pause` over the first connection to a proxy, and adds every answer to
    /// `answers`. The calls are those with the serial numbers from 1 on.
    pub(crate) fn paced(
        &mut self,
        fleet: usize,
        count: u64,
        pause: Duration,
        answers: &mut Vec<u8>,
    ) -> Result<Slice> {
        let client = self.fleets[fleet].first_mut().context("no connection")?;
        let mut slice = Slice::default();
        let start_ns = monotonic_ns();
        self.local.block_on(&self.runtime, async {
            let mut ticks = tokio::time::interval(pause);
            let expected = answer_body();
            for serial in 1..=count {
                ticks.tick().await;
                check_interrupt()?;
                let (nonce, mut answer) = (call::nonce(serial), [0; ANSWER_BYTES]);
                let sent_ns = monotonic_ns();
                let call = client.call(call::body(&nonce), &mut answer);
                let length = timeout(GRACE, call).await.context("no answer")??;
                slice.answered(monotonic_ns() - sent_ns);
                if !super::answer::is_answer(&answer[..length], &nonce, &expected) {
                    bail!("the body is not the one that belongs to this request");
                }
                answers.extend_from_slice(&answer[..length]);
            }
            Ok(())
        })?;
        slice.wall_ns = monotonic_ns() - start_ns;
        Ok(slice)
    }

    /// Moves a body of `bytes` over the first connection to a proxy.
    pub(crate) fn bulk(&mut self, fleet: usize, direction: Direction, bytes: u64) -> Result<Slice> {
        check_interrupt()?;
        let Some(client) = self.fleets[fleet].first_mut() else {
            bail!("no HTTP/3 connection");
        };
        let start_ns = monotonic_ns();
        let moved = self.local.block_on(&self.runtime, async {
            timeout(BULK_PATIENCE, client.bulk(direction, bytes)).await
        });
        moved.context("the body did not get through in time")??;
        let mut slice = Slice::default();
        slice.answered(monotonic_ns() - start_ns);
        slice.bytes = bytes;
        slice.wall_ns = monotonic_ns() - start_ns;
        Ok(slice)
    }
}

async fn call_until(
    mut client: h3::Client,
    until_ns: u64,
    serial: &Cell<u64>,
    slice: &RefCell<Slice>,
) -> Result<()> {
    let expected = answer_body();
    let mut answer = [0; ANSWER_BYTES];
    loop {
        let sent_ns = monotonic_ns();
        if sent_ns >= until_ns {
            return Ok(());
        }
        serial.set(serial.get() + 1);
        let nonce: [u8; NONCE_BYTES] = call::nonce(serial.get());
        let length = client.call(call::body(&nonce), &mut answer).await?;
        if !super::answer::is_answer(&answer[..length], &nonce, &expected) {
            bail!("the body is not the one that belongs to this request");
        }
        slice.borrow_mut().answered(monotonic_ns() - sent_ns);
    }
}

/// Serves the origin whenever its epoll has something to say.
async fn serve(origin: &RefCell<(Origin, Reactor)>) -> Result<()> {
    #[expect(
        deprecated,
        reason = "unsound only for types that could close their descriptor or give another"
    )]
    let epoll = AsyncFd::new(origin.borrow().1.descriptor()?)?;
    let mut ready = Vec::new();
    loop {
        let due = origin.borrow_mut().0.tick().unwrap_or(LOOK);
        let mut guard = tokio::select! {
            guard = epoll.readable() => guard?,
            () = sleep(due) => continue,
        };
        loop {
            let mut origin = origin.borrow_mut();
            let (origin, reactor) = &mut *origin;
            reactor.wait(Duration::ZERO, &mut ready)?;
            if ready.is_empty() {
                break;
            }
            for token in &ready {
                origin.ready(token.index, reactor)?;
            }
            for token in &ready {
                origin.flush(token.index, reactor);
            }
        }
        guard.clear_ready();
    }
}

//! Threads that load together, each with a driver of its own.
//!
//! A thread has a CPU, an epoll, an origin and connections, and shares nothing with the others; what
//! they have seen is added up afterwards. Each also has its own table of descriptors, because a limit
//! of descriptors holds for a table.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, unshare};
use rustls::ClientConfig;

use super::driver::{Driver, Endpoint, Pace};
use super::slice::Slice;
use super::slow::Pattern;
use super::speech::Language;
use crate::measure::give_cpu;

/// Between two looks for something to do, of who serves connections meanwhile.
const LOOK: Duration = Duration::from_millis(20);

type Job = Box<dyn FnOnce(&mut Driver) + Send>;

/// The threads.
pub(crate) struct Crew {
    members: Vec<Member>,
}

struct Member {
    /// Closed when the crew goes.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// What is under way at a member.
pub(crate) struct Side<R>(Receiver<Result<R>>);

impl<R> Side<R> {
    /// Waits for it.
    pub(crate) fn join(self) -> Result<R> {
        let result = self.0.recv();
        result.unwrap_or_else(|_| Err(anyhow!("a thread of the load is gone")))
    }
}

impl Crew {
    /// `count` threads, on these CPUs in turn.
    pub(crate) fn start(count: usize, cpus: &[usize]) -> Result<Self> {
        let members = (0..count.max(1)).map(|number| {
            let cpu = cpus[number % cpus.len()];
            // Who shares a CPU lets the other have a turn after each of its own.
            let shares = count > cpus.len();
            let (jobs, work) = channel();
            let thread = thread::Builder::new()
                .name(format!("load-{number}"))
                .spawn(move || serve(cpu, shares, &work))?;
            anyhow::Ok(Member {
                jobs: Some(jobs),
                thread: Some(thread),
            })
        });
        Ok(Self {
            members: members.collect::<Result<_>>()?,
        })
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Has one member do something, beside what others do.
    pub(crate) fn begin<R: Send + 'static>(
        &self,
        member: usize,
        work: impl FnOnce(&mut Driver) -> Result<R> + Send + 'static,
    ) -> Side<R> {
        let (done, result) = channel();
        let job: Job = Box::new(move |driver| {
            // Nobody waits for it any more only when the whole run has failed.
            let _ = done.send(work(driver));
        });
        if let Some(jobs) = &self.members[member].jobs {
            // A thread that is gone shows in what is never received.
            let _ = jobs.send(job);
        }
        Side(result)
    }

    /// Has every member do the same, which is told its number, and waits for all.
    pub(crate) fn each<R: Send + 'static>(
        &self,
        work: impl Fn(usize, &mut Driver) -> Result<R> + Clone + Send + 'static,
    ) -> Result<Vec<R>> {
        let sides = (0..self.len()).map(|number| {
            let work = work.clone();
            self.begin(number, move |driver| work(number, driver))
        });
        // All have to have begun before one is waited for.
        let sides: Vec<_> = sides.collect();
        sides.into_iter().map(Side::join).collect()
    }

    /// The same with loads, added up.
    fn load(
        &self,
        work: impl Fn(usize, &mut Driver) -> Result<Slice> + Clone + Send + 'static,
    ) -> Result<Slice> {
        let mut sum = Slice::default();
        for slice in self.each(work)? {
            sum.add_beside(slice)?;
        }
        Ok(sum)
    }

    /// A proxy to load, for all of them.
    pub(crate) fn endpoint(
        &self,
        address: SocketAddr,
        tls: &Arc<ClientConfig>,
        language: Language,
    ) -> Result<Endpoint> {
        let tls = Arc::clone(tls);
        let endpoints = self.each(move |_, driver| {
            let endpoint = driver.endpoint(address, &tls);
            driver.speak(endpoint, language);
            Ok(endpoint)
        })?;
        // All have been asked for the same, so all have given the same.
        Ok(endpoints[0])
    }

    /// Opens connections, each member its share of them.
    pub(crate) fn connect(&self, endpoint: Endpoint, count: usize) -> Result<()> {
        let shares = self.shares(count);
        self.each(move |number, driver| driver.connect(endpoint, shares[number]))?;
        Ok(())
    }

    /// From now on each call has a connection of its own, `count` at once.
    pub(crate) fn connect_each_time(&self, endpoint: Endpoint, count: usize) -> Result<()> {
        let shares = self.shares(count);
        self.each(move |number, driver| {
            driver.connect_each_time(endpoint, shares[number]);
            Ok(())
        })?;
        Ok(())
    }

    /// Has slow clients come.
    pub(crate) fn slow(&self, endpoint: Endpoint, pattern: Pattern, count: usize) -> Result<()> {
        let shares = self.shares(count);
        self.each(move |number, driver| driver.slow(endpoint, pattern, shares[number]))?;
        Ok(())
    }

    /// Has them leave.
    pub(crate) fn no_more_slow(&self, endpoint: Endpoint) -> Result<()> {
        self.each(move |_, driver| {
            driver.no_more_slow(endpoint);
            Ok(())
        })?;
        Ok(())
    }

    /// Calls for `duration`, at a pace that is that of all together.
    pub(crate) fn run(&self, endpoint: Endpoint, pace: Pace, duration: Duration) -> Result<Slice> {
        let pace = match pace {
            Pace::Closed => Pace::Closed,
            Pace::Open(per_s) => Pace::Open(per_s / self.len() as f64),
        };
        self.load(move |_, driver| driver.run(endpoint, pace, duration))
    }

    /// `count` things in as many parts as there are members.
    fn shares(&self, count: usize) -> Vec<usize> {
        let parts = self.len();
        let part = |member| count / parts + usize::from(member < count % parts);
        (0..parts).map(part).collect()
    }

    /// Has the origins of all listen on one free port of the loopback, for one proxy; the kernel
    /// spreads its connections over them.
    pub(crate) fn origin(&self) -> Result<SocketAddr> {
        let address = self.begin(0, |driver| driver.origin()).join()?;
        for member in 1..self.len() {
            let beside = self.begin(member, move |driver| driver.origin_at(address));
            beside.join()?;
        }
        Ok(address)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for member in &mut self.members {
            member.jobs = None;
        }
        for member in &mut self.members {
            // Whatever went wrong has been said by what it was doing.
            let _ = member.thread.take().map(JoinHandle::join);
        }
    }
}

/// What a member does: what it is told, and serving its connections between that.
fn serve(cpu: usize, shares: bool, work: &Receiver<Job>) -> Result<()> {
    give_cpu(cpu)?;
    unshare(CloneFlags::CLONE_FILES).context("cannot have a table of descriptors apart")?;
    let mut driver = Driver::new()?;
    if shares {
        driver.give_way();
    }
    loop {
        let job = match driver.is_idle() {
            true => match work.recv_timeout(Duration::from_secs(60)) {
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(job) => Some(job),
            },
            false => match work.try_recv() {
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return Ok(()),
                Ok(job) => Some(job),
            },
        };
        match job {
            Some(job) => job(&mut driver),
            None => driver.serve_once(LOOK)?,
        }
    }
}

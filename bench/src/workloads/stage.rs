//! The proxies of a workload, all of them alive, and what they stand in front of.

use std::net::SocketAddr;

use anyhow::{Result, bail, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tempfile::TempDir;

use super::command::Options;
use crate::load::{Crew, Driver, Tasks};
use crate::measure::Cpus;
use crate::origin::BulkOrigin;
use crate::peers::{Identity, Peer, Proxy, Running, Setup};
use crate::report::BEFORE;

/// Descriptors wanted: two for each of ten thousand streams, and some.
const OPEN_FILES: u64 = 65_536;
/// Descriptors that are no connections.
const DESCRIPTORS_APART: usize = 200;

/// What loads proxies brings the origin that they stand in front of.
pub(super) trait Load {
    /// Where one more proxy finds it.
    fn origin(&mut self) -> Result<SocketAddr>;
}

impl Load for Driver {
    fn origin(&mut self) -> Result<SocketAddr> {
        Driver::origin(self)
    }
}

impl Load for Crew {
    fn origin(&mut self) -> Result<SocketAddr> {
        Crew::origin(self)
    }
}

impl Load for Tasks {
    fn origin(&mut self) -> Result<SocketAddr> {
        Tasks::origin(self)
    }
}

impl Load for BulkOrigin {
    fn origin(&mut self) -> Result<SocketAddr> {
        Ok(self.address())
    }
}

/// The running proxies, their origin and their load.
pub(super) struct Stage<L> {
    pub(super) running: Vec<Running>,
    /// Where each of them finds the origin.
    pub(super) origins: Vec<SocketAddr>,
    pub(super) load: L,
    pub(super) cpus: Cpus,
    pub(super) identity: Identity,
    /// Removed after the proxies, whose logs are in it, have ended.
    _dir: TempDir,
}

impl<L: Load> Stage<L> {
    /// Starts everything.
    pub(super) fn set(peers: &[Peer], mut load: L) -> Result<Self> {
        let workers = peers.iter().map(|peer| peer.workers).max().unwrap_or(1);
        let (cpus, dir, identity) = prepare(workers)?;
        let mut running = Vec::new();
        let mut origins = Vec::new();
        for peer in peers {
            let origin = load.origin()?;
            origins.push(origin);
            let setup = Setup::on_loopback(dir.path(), &identity, origin, &cpus);
            running.push(peer.start(&setup)?);
        }
        Ok(Self {
            running,
            origins,
            load,
            cpus,
            identity,
            _dir: dir,
        })
    }
}

/// CPUs, a directory and a certificate.
pub(super) fn prepare(workers: usize) -> Result<(Cpus, TempDir, Identity)> {
    raise_open_files()?;
    let cpus = Cpus::claim(workers)?;
    let dir = TempDir::with_prefix("edge-bench-")?;
    let identity = Identity::create(dir.path())?;
    Ok((cpus, dir, identity))
}

/// The chosen proxies that are installed and that `can`; says which are not. Another build of edge comes
/// last.
///
/// # Errors
/// When edge is not there, or none is.
pub(super) fn peers(options: &Options, can: fn(Proxy) -> bool) -> Result<Vec<Peer>> {
    let mut peers = Vec::new();
    for &proxy in &options.proxies {
        match proxy.program() {
            Err(error) if proxy == Proxy::Edge => return Err(error),
            Err(error) => eprintln!("skipped {}: {error:#}", proxy.name()),
            Ok(_) if !can(proxy) => eprintln!("skipped {}: its build cannot", proxy.name()),
            Ok(_) => peers.push(Peer::from(proxy)),
        }
    }
    peers.extend(before(options)?);
    if peers.is_empty() {
        bail!("none of the chosen proxies can be measured");
    }
    Ok(peers)
}

/// Another build of edge, where one is to be measured.
pub(super) fn before(options: &Options) -> Result<Option<Peer>> {
    let Some(program) = &options.before else {
        return Ok(None);
    };
    ensure!(program.is_file(), "no edge at {}", program.display());
    Ok(Some(Peer {
        label: BEFORE.to_owned(),
        program: Some(program.clone()),
        ..Peer::from(Proxy::Edge)
    }))
}

/// Thousands of connections need as many descriptors, here and in the proxies, which inherit it.
fn raise_open_files() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = OPEN_FILES.max(hard);
    // Beyond the hard limit only root may go, and not everywhere.
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted).is_err() {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(())
}

/// As many threads as the proxies have workers, for one is enough to keep one busy, on the CPUs that
/// these leave; or as many as the options say.
pub(super) fn crew(options: &Options, peers: &[Peer]) -> Result<Crew> {
    let workers = peers.iter().map(|peer| peer.workers).max().unwrap_or(1);
    raise_open_files()?;
    let cpus = Cpus::claim(workers)?.load();
    let count = match options.threads {
        Some(count) => count as usize,
        None => workers.min(cpus.len()),
    };
    Crew::start(count, &cpus)
}

/// How many streams there are descriptors for: each takes two at a proxy, whose process has all of
/// them. Generator and origin have a thread for each proxy, with descriptors of its own.
pub(super) fn streams_max() -> Result<usize> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(usize::try_from(limit)?.saturating_sub(DESCRIPTORS_APART) / 2)
}

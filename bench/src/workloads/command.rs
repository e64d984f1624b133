//! What the workloads have in common on the command line and before they start.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tempfile::TempDir;

use super::{https1, idle_streams, shield};
use crate::load::{Driver, client_config};
use crate::measure::{Cpus, watch_interrupt};
use crate::peers::{Identity, Proxy, Running, Setup};
use crate::report::{Page, Record, Table, print_json};

/// A workload.
#[derive(Subcommand)]
pub enum Command {
    /// HTTPS/1.1 keep-alive: POST of 200 B, 1 KiB answer; CPU per request
    Https1(https1::Args),
    /// Event streams that say nothing: memory per stream
    IdleStreams(idle_streams::Args),
    /// The kernel program against xdp-filter, nftables and iptables: nanoseconds a packet
    Shield(shield::Args),
}

impl Command {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        match self {
            Self::Https1(args) => https1::run(args),
            Self::IdleStreams(args) => idle_streams::run(args),
            Self::Shield(args) => shield::run(args),
        }
    }
}

/// Options of every workload.
#[derive(Args)]
pub(super) struct Common {
    /// Which proxies to measure
    #[arg(long, value_delimiter = ',', default_value = "nginx,edge")]
    pub(super) proxies: Vec<Proxy>,
    /// A rough look in seconds instead of a measurement
    #[arg(long)]
    pub(super) quick: bool,
    /// Print one JSON object a line instead of a table
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print a dated section for docs/measurements.md
    #[arg(long)]
    markdown: bool,
}

/// The running proxies, their origin and their load.
pub(super) struct Stage {
    pub(super) running: Vec<Running>,
    pub(super) driver: Driver,
    pub(super) cpus: Cpus,
    /// Removed after the proxies, whose logs are in it, have ended.
    _dir: TempDir,
}

impl Stage {
    /// Starts everything.
    pub(super) fn set(proxies: &[Proxy]) -> Result<Self> {
        if proxies.is_empty() {
            bail!("no proxy to measure");
        }
        raise_open_files()?;
        watch_interrupt()?;
        let cpus = Cpus::claim()?;
        let dir = TempDir::with_prefix("edge-bench-")?;
        let identity = Identity::create(dir.path())?;
        let driver = Driver::new(client_config(identity.authority.clone())?)?;
        let setup = Setup {
            dir: dir.path(),
            identity: &identity,
            origin: driver.origin(),
            cpus,
        };
        let running = proxies.iter().map(|proxy| proxy.start(&setup));
        Ok(Self {
            running: running.collect::<Result<_>>()?,
            driver,
            cpus,
            _dir: dir,
        })
    }
}

/// Prints records the way that was asked for; `verdict` goes with the forms for people.
pub(super) fn publish(
    common: &Common,
    title: &'static str,
    records: &[Record],
    table: &Table,
    verdict: &str,
) -> Result<()> {
    if common.json {
        return print_json(records);
    }
    if common.markdown {
        print!("{}", Page::new(title, &common.proxies)?);
    }
    println!("{table}\n{verdict}");
    Ok(())
}

/// Thousands of connections need as many descriptors, here and in the proxies, which inherit it.
fn raise_open_files() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(())
}

//! The command line: which workloads, how long, and what becomes of the results.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use super::{
    attack, bulk, calls, generator, generator_http3, handshake, https3, mcp, rate, reload, scaling,
    shield, slow, sse, startup, target,
};
use crate::measure::watch_interrupt;
use crate::peers::Proxy;
use crate::profile;
use crate::report::{
    Comparison, Record, Run, Title, compare, html, markdown, print_json, read_json, table,
};

/// Measures edge against other proxies on this machine: the proxies on one CPU, their load on
/// another.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Command {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// What has changed between two files of JSON lines (--save, --json); fails when edge has become worse,
    /// or when they have no result in common
    ///
    /// A change is one where the ratio to the same peer differs by more than 3 % and the ranges do not
    /// overlap; where no peer was measured, where the values differ by more than both spreads. The memory of
    /// a stream is compared beside it, and may differ by 10 %.
    Compare {
        /// The results before
        old: PathBuf,
        /// The results after
        new: PathBuf,
    },
    /// Where edge's time goes: a flame graph; system calls, ring entries and allocations per request
    Profile {
        /// Any workload that measures CPU, in its first case
        workload: Workload,
        /// Length of each of the three slices: sampled, counted, and with allocations counted
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// Where the flame graph is written
        #[arg(long, default_value = "target/profile")]
        out: PathBuf,
        /// Which proxy
        #[arg(long, default_value = "edge")]
        proxy: Proxy,
    },
    /// This generator against wrk, h2load and ab on the same target: calls per second, and CPU
    Generator {
        /// Instead its HTTP/3 client against aioquic's: the same calls at the same pace through edge
        #[arg(long)]
        http3: bool,
        /// Slices for each of them
        #[arg(long, default_value_t = 3)]
        slices: u32,
        /// Length of a slice
        #[arg(long, default_value_t = 3)]
        seconds: u32,
    },
}

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// Calls over kept-alive HTTPS/1.1: CPU per request
    Https1,
    /// Calls over HTTP/2, ten streams a connection
    Https2,
    /// Calls over HTTP/3, four streams a connection
    Https3,
    /// A new TLS connection for every call, full and resumed
    Handshake,
    /// Event streams, one event a second each: CPU per event, delay, memory per stream
    Sse,
    /// Bodies of 1 GiB, down and up, over HTTP/1.1 and HTTP/3: CPU per GB
    Bulk,
    /// Calls at fixed rates: CPU and latency below saturation
    Rate,
    /// The kernel program against xdp-filter, nftables and iptables: ns a packet (needs root)
    Shield,
    /// Latency of calls while another source floods (needs root)
    Attack,
    /// Failed and slow calls while the proxy reloads its configuration
    Reload,
    /// Start-up time, memory at rest, size of the program
    Startup,
    /// One worker and two
    Scaling,
    /// What `mcp = true` costs a plain call
    Mcp,
    /// Messages over WebSockets: CPU per message
    Websocket,
    /// Calls beside clients that read and write slowly: CPU, latency, memory per slow client
    Slow,
}

/// Options of every workload; each takes those that mean something to it.
#[derive(Debug, Default, Args)]
pub(super) struct Options {
    /// What to measure; everything when none is named
    #[arg(value_name = "WORKLOAD")]
    workloads: Vec<Workload>,
    /// Which proxies to measure; those that are not installed are skipped
    #[arg(
        long,
        value_delimiter = ',',
        default_value = Proxy::ALL
    )]
    pub(super) proxies: Vec<Proxy>,
    /// Another build of edge to measure in the same run, as edge-before; not by `shield`
    #[arg(long, value_name = "PROGRAM")]
    pub(super) before: Option<PathBuf>,
    /// A rough look in seconds instead of a measurement
    #[arg(long)]
    pub(super) quick: bool,
    /// Measured slices per proxy
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    slices: Option<u32>,
    /// Length of a slice
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// Connections to each proxy, where there are connections that stay
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: Option<u32>,
    /// Threads of the generator; as many as a proxy has workers and there are CPUs left
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(super) threads: Option<u32>,
    /// Event streams through each proxy
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=25_000))]
    pub(super) streams: Option<u32>,
    /// Calls a second of `rate`
    #[arg(long, value_name = "PER_SECOND", value_delimiter = ',')]
    pub(super) rates: Vec<u32>,
    /// Size of a body of `bulk`
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub(super) size: Option<u64>,
    /// Print one JSON object a line instead of tables
    #[arg(long)]
    json: bool,
    /// Also write the JSON lines to a file, for `compare`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Also write a report with plots, one HTML file that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also write a dated page in Markdown, such as docs/measurements.md
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl Options {
    /// How many slices each proxy gets.
    pub(super) fn slices(&self, usual: u32) -> u32 {
        self.slices.unwrap_or(if self.quick { 2 } else { usual })
    }

    /// How long each is.
    pub(super) fn duration(&self, usual_ms: u64) -> Duration {
        match self.duration {
            Some(seconds) => Duration::from_secs_f64(seconds.clamp(0.01, 600.0)),
            None if self.quick => Duration::from_millis(usual_ms.min(150)),
            None => Duration::from_millis(usual_ms),
        }
    }

    /// How many connections there are.
    pub(super) fn connections(&self, usual: usize) -> usize {
        self.connections.map_or(usual, |count| count as usize)
    }
}

impl Command {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        match &self.other {
            Some(Other::Compare { old, new }) => {
                let Comparison {
                    text,
                    compared,
                    worse,
                } = compare(&read_json(old)?, &read_json(new)?);
                print!("{text}");
                match (compared, worse) {
                    (0, _) => bail!("they have no result in common"),
                    (_, 0) => Ok(()),
                    _ => bail!("edge has become worse in {worse} of them"),
                }
            }
            Some(Other::Profile {
                workload,
                seconds,
                out,
                proxy,
            }) => explain(*workload, *seconds, out, *proxy),
            Some(Other::Generator { http3: true, .. }) => generator_http3::check(),
            Some(Other::Generator {
                slices, seconds, ..
            }) => generator::check(*slices, *seconds),
            None => measure(&self.options),
        }
    }
}

fn measure(options: &Options) -> Result<()> {
    if options.proxies.is_empty() {
        bail!("no proxy to measure");
    }
    if options.before.is_some() && options.workloads.contains(&Workload::Shield) {
        bail!("`shield` measures one build of edge: leave out --before, or name other workloads");
    }
    for path in [&options.save, &options.html, &options.markdown]
        .into_iter()
        .flatten()
    {
        // Half an hour of measuring is a long time to find out.
        let file = File::options().create(true).append(true).open(path);
        file.with_context(|| format!("cannot write {}", path.display()))?;
    }
    watch_interrupt()?;
    let run = Run::this();
    let chosen: Vec<Workload> = match options.workloads.as_slice() {
        [] => Workload::value_variants().to_vec(),
        chosen => chosen.to_vec(),
    };
    if options.before.is_some() && options.workloads.is_empty() {
        eprintln!("`shield` measures the current build of edge only");
    }
    let mut sections: Vec<(Title, Vec<Record>)> = Vec::new();
    for workload in chosen {
        let (title, records) = workload.measure(options)?;
        show(options, title, &records)?;
        sections.push((title, records));
        // What has been measured is kept, should a later workload fail.
        keep(options, &run, &sections)?;
    }
    let failed = sections.iter().flat_map(|(_, records)| records);
    let failed = failed.filter(|record| record.proxy == "edge" && record.errors > 0);
    match failed.count() {
        0 => Ok(()),
        count => bail!("edge made errors in {count} results: see above"),
    }
}

/// Profiles one proxy under one workload.
fn explain(workload: Workload, seconds: f64, out: &Path, proxy: Proxy) -> Result<()> {
    watch_interrupt()?;
    profile::begin(out, &proxy.program()?)?;
    let options = Options {
        proxies: vec![proxy],
        slices: Some(profile::SLICES),
        duration: Some(seconds),
        ..Options::default()
    };
    let (title, records) = workload.measure(&options)?;
    let (flame, counts) = profile::finish()?;
    println!("## {}: {}\n", title.name, title.title);
    println!("per request, in the second slice of the first case, and allocations in the third:");
    for (what, number) in counts.iter().filter(|(_, number)| *number >= 0.0005) {
        println!("{number:>10.3}  {what}");
    }
    for record in records.iter().take(1) {
        let cpu = record.cpu_us_per_request.unwrap_or_default();
        println!("CPU {cpu:.2} µs a request, of which perf is a part");
    }
    println!("flame graph: {}", flame.display());
    Ok(())
}

impl Workload {
    fn measure(self, options: &Options) -> Result<(Title, Vec<Record>)> {
        match self {
            Self::Https1 => calls::https1(options),
            Self::Https2 => calls::https2(options),
            Self::Https3 => https3::measure(options),
            Self::Handshake => handshake::measure(options),
            Self::Sse => sse::measure(options),
            Self::Bulk => bulk::measure(options),
            Self::Rate => rate::measure(options),
            Self::Shield => shield::measure(options.quick),
            Self::Attack => attack::measure(options),
            Self::Reload => reload::measure(options),
            Self::Startup => startup::measure(options),
            Self::Scaling => scaling::measure(options),
            Self::Mcp => mcp::measure(options),
            Self::Websocket => calls::websocket(options),
            Self::Slow => slow::measure(options),
        }
    }
}

fn show(options: &Options, title: Title, records: &[Record]) -> Result<()> {
    if options.json {
        return records.iter().try_for_each(print_json);
    }
    let all: Vec<&Record> = records.iter().collect();
    println!("## {}: {}\n\n{}", title.name, title.title, table(&all));
    for line in target::judge(records) {
        println!("{line}");
    }
    for record in records.iter().filter(|record| record.errors > 0) {
        println!(
            "{} made {} errors; the first: {}",
            record.proxy, record.errors, record.error
        );
    }
    println!();
    Ok(())
}

fn keep(options: &Options, run: &Run, sections: &[(Title, Vec<Record>)]) -> Result<()> {
    let write = |path: &PathBuf, text: String| {
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    let judged: Vec<(Title, Vec<Record>, Vec<String>)> = sections
        .iter()
        .map(|(title, records)| (*title, records.clone(), target::judge(records)))
        .collect();
    if let Some(path) = &options.save {
        let mut file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        for record in sections.iter().flat_map(|(_, records)| records) {
            writeln!(file, "{}", serde_json::to_string(record)?)?;
        }
    }
    if let Some(path) = &options.html {
        write(path, html(run, &judged))?;
    }
    if let Some(path) = &options.markdown {
        write(path, markdown(run, &judged))?;
    }
    Ok(())
}

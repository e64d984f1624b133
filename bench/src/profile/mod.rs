//! Where the time goes: what `perf` sees of a proxy during one slice of a workload.
//!
//! The first slice is sampled, for a flame graph; the second is counted, for system calls and ring
//! entries per request, which leaves the speed nearly as it is, unlike tracing; in the third
//! allocations are counted, which does not.

mod allocations;
mod count;
mod flame;
mod fold;
mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock::pause;
use crate::load::Slice;

use allocations::Probes;
use count::Count;

/// For `perf` to have opened its counters.
const ATTACH: Duration = Duration::from_millis(700);

/// The profile of this process's run, if it makes one.
static PROFILE: OnceLock<Mutex<Profile>> = OnceLock::new();

struct Profile {
    dir: PathBuf,
    slices: usize,
    /// How often something came per request.
    counts: Vec<(String, f64)>,
    /// Where allocations can be counted.
    probes: Option<Probes>,
}

/// Slices that a profile takes.
pub(crate) const SLICES: u32 = 3;

/// From now on slices are profiled, in which this program serves; what `perf` writes goes to `dir`.
pub(crate) fn begin(dir: &Path, program: &Path) -> Result<()> {
    let usable = Command::new("perf")
        .args(["stat", "-e", "raw_syscalls:sys_enter", "true"])
        .output()
        .context("no perf; to get it: apt-get install linux-perf")?;
    if !usable.status.success() {
        bail!(
            "perf may not trace here: {}",
            String::from_utf8_lossy(&usable.stderr).trim()
        );
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let probes = match Probes::set(program) {
        Ok(probes) => Some(probes),
        Err(error) => {
            eprintln!("allocations are not counted: {error:#}");
            None
        }
    };
    let profile = Profile {
        dir: dir.to_owned(),
        slices: 0,
        counts: Vec::new(),
        probes,
    };
    if PROFILE.set(Mutex::new(profile)).is_err() {
        bail!("there is a profile already");
    }
    Ok(())
}

/// What watches a slice.
pub(crate) struct Tap {
    perf: Child,
    number: usize,
}

/// Starts watching these processes, if this run makes a profile and has not got it yet.
pub(crate) fn tap(processes: &[Pid]) -> Result<Option<Tap>> {
    let Some(profile) = PROFILE.get() else {
        return Ok(None);
    };
    let mut profile = profile.lock().expect("nobody panics with it");
    let number = profile.slices;
    profile.slices += 1;
    let names: Vec<String> = processes.iter().map(Pid::to_string).collect();
    let mut perf = Command::new("perf");
    match number {
        0 => perf
            .args([
                "record",
                "-q",
                "-F",
                "499",
                "--call-graph",
                "dwarf,16384",
                "-o",
            ])
            .arg(profile.dir.join("perf.data")),
        1 => perf
            .args(["stat", "-x", ",", "-o"])
            .arg(profile.counts_of(number))
            .args([
                "-e",
                "syscalls:sys_enter_*",
                "-e",
                "io_uring:io_uring_submit_req",
            ])
            .args(["-e", "context-switches", "-e", "page-faults"]),
        2 => match &profile.probes {
            Some(probes) => perf
                .args(["stat", "-x", ",", "-o"])
                .arg(profile.counts_of(number))
                .args(["-e", &probes.events()]),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    perf.args(["-p", &names.join(",")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let perf = perf.spawn().context("cannot run perf")?;
    pause(ATTACH);
    Ok(Some(Tap { perf, number }))
}

impl Tap {
    /// The slice is over.
    pub(crate) fn end(mut self, slice: &Slice) -> Result<()> {
        kill(Pid::from_raw(self.perf.id() as i32), Signal::SIGINT)?;
        self.perf.wait()?;
        let profile = PROFILE.get().context("a tap is part of a profile")?;
        let mut profile = profile.lock().expect("nobody panics with it");
        if self.number > 0 {
            let path = profile.counts_of(self.number);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("perf has not written {}", path.display()))?;
            let requests = slice.requests.max(1) as f64;
            let counts = count::parse(&text).into_iter();
            let counts = counts.map(|Count { what, number }| (what, number as f64 / requests));
            profile.counts.extend(counts);
        }
        Ok(())
    }
}

impl Profile {
    /// Where the counts of a slice are written.
    fn counts_of(&self, slice: usize) -> PathBuf {
        self.dir.join(format!("counts-{slice}.csv"))
    }
}

/// Makes the flame graph; returns what was counted, per request: system calls and ring entries, the
/// most frequent first, then allocations.
pub(crate) fn finish() -> Result<(PathBuf, Vec<(String, f64)>)> {
    let profile = PROFILE.get().context("no profile was begun")?;
    let mut profile = profile.lock().expect("nobody panics with it");
    let folded = sample::read(&profile.dir.join("perf.data"))?;
    let path = profile.dir.join("flame.svg");
    fs::write(&path, flame::draw(&folded))
        .with_context(|| format!("cannot write {}", path.display()))?;
    // Here, because what a process keeps to its end is never dropped.
    drop(profile.probes.take());
    Ok((path, std::mem::take(&mut profile.counts)))
}

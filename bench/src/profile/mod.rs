//! Where the time goes: what `perf` sees of a proxy during one slice of a workload.
//!
//! The first slice is sampled, for a flame graph; the second is counted, for system calls and ring
//! entries per request. Counting leaves the speed nearly as it is, unlike tracing.

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

pub(crate) use count::Count;

/// For `perf` to have opened its counters.
const ATTACH: Duration = Duration::from_millis(700);

/// The profile of this process's run, if it makes one.
static PROFILE: OnceLock<Mutex<Profile>> = OnceLock::new();

struct Profile {
    dir: PathBuf,
    slices: usize,
    counts: Vec<Count>,
    requests: u64,
}

/// From now on slices are profiled; what `perf` writes goes to `dir`.
pub(crate) fn begin(dir: &Path) -> Result<()> {
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
    let profile = Profile {
        dir: dir.to_owned(),
        slices: 0,
        counts: Vec::new(),
        requests: 0,
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
            .arg(profile.dir.join("counts.csv"))
            .args([
                "-e",
                "syscalls:sys_enter_*",
                "-e",
                "io_uring:io_uring_submit_req",
            ])
            .args(["-e", "context-switches", "-e", "page-faults"]),
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
        if self.number == 1 {
            let path = profile.dir.join("counts.csv");
            let text = fs::read_to_string(&path)
                .with_context(|| format!("perf has not written {}", path.display()))?;
            profile.counts = count::parse(&text);
            profile.requests = slice.requests;
        }
        Ok(())
    }
}

/// Makes the flame graph; returns what was counted, per request, the most frequent first.
pub(crate) fn finish() -> Result<(PathBuf, Vec<(String, f64)>)> {
    let profile = PROFILE.get().context("no profile was begun")?;
    let profile = profile.lock().expect("nobody panics with it");
    let folded = sample::read(&profile.dir.join("perf.data"))?;
    let path = profile.dir.join("flame.svg");
    fs::write(&path, flame::draw(&folded))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let requests = profile.requests.max(1) as f64;
    let counts = profile.counts.iter();
    let counts = counts.map(|count| (count.what.clone(), count.number as f64 / requests));
    Ok((path, counts.collect()))
}

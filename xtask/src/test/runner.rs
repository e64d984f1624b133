//! Runs one command with a deadline, in a process group of its own, so that whatever it started
//! ends with it: when it hangs, and when the person at the keyboard has had enough.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::shell;
use crate::test::again::{self, Watch};

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What a process group has to end by itself once it is told to.
const GRACE: Duration = Duration::from_secs(10);

/// Runs commands until a signal says stop.
#[derive(Debug)]
pub(super) struct Runner {
    stop: Arc<AtomicBool>,
}

impl Runner {
    /// Starts to listen for signals.
    pub(super) fn new() -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, stop.clone())?;
        }
        Ok(Self { stop })
    }

    /// Whether a signal came.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs `command` to its end; the error is the reason for the summary.
    pub(super) fn run(&self, command: &mut Command, deadline: Instant) -> Result<(), String> {
        self.wait(&mut start(command)?, deadline)
    }

    /// Runs tests, and those that fail once more by themselves; the names of those that passed only
    /// then.
    pub(super) fn run_tests(
        &self,
        command: &mut Command,
        deadline: Instant,
    ) -> Result<Vec<String>, String> {
        let mut child = start(command.stdout(Stdio::piped()))?;
        let watch = child.stdout.take().map(Watch::start);
        let ran = self.wait(&mut child, deadline);
        let failed = watch.map(Watch::failed).unwrap_or_default();
        match ran {
            Ok(()) => Ok(Vec::new()),
            Err(reason) if failed.is_empty() || self.is_stopped() => Err(reason),
            Err(reason) if failed.len() > again::AT_MOST => Err(reason),
            Err(_) => {
                println!("\nonce more, by themselves: {}", failed.join(", "));
                self.run(&mut again::alone(command, &failed), deadline)?;
                Ok(failed)
            }
        }
    }

    /// Waits for `child`; the error is the reason for the summary.
    fn wait(&self, child: &mut Child, deadline: Instant) -> Result<(), String> {
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(status.to_string()),
                Ok(None) => {}
                Err(error) => return Err(format!("cannot wait for it: {error}")),
            }
            if self.is_stopped() {
                end_group(child);
                return Err("interrupted".to_owned());
            }
            if Instant::now() >= deadline {
                end_group(child);
                return Err("cut off: it ran longer than any healthy run does".to_owned());
            }
            thread::sleep(LOOK);
        }
    }
}

/// Starts `command`, shown first.
fn start(command: &mut Command) -> Result<Child, String> {
    println!("  $ {}", shell::shown(command));
    command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot start: {error}"))
}

/// Asks the group of `child` to end, then makes it.
fn end_group(child: &mut Child) {
    let group = Pid::from_raw(child.id().cast_signed());
    // Either may fail because the group has just ended, which is what is wanted.
    let _ = killpg(group, Signal::SIGTERM);
    let patience = Instant::now() + GRACE;
    while Instant::now() < patience && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(LOOK);
    }
    let _ = killpg(group, Signal::SIGKILL);
    let _ = child.wait();
}

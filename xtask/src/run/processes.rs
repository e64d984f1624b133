//! The programs of the demonstration: what they say, when they end, and that none of them is left.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::run::event::Event;
use crate::shell;

/// What a program has to end by itself: a little more than `edge` gives its clients.
const GRACE: Duration = Duration::from_secs(5);

/// How often a program that was told to end is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The programs that run; dropping it ends them.
#[derive(Debug)]
pub(super) struct Processes {
    running: Vec<(&'static str, Child)>,
    events: Sender<Event>,
}

impl Processes {
    /// No program yet; what they say goes to `events`.
    pub(super) fn new(events: Sender<Event>) -> Self {
        Self {
            running: Vec::new(),
            events,
        }
    }

    /// Starts a program in a process group of its own: Ctrl-C is for this one to deal with.
    pub(super) fn start(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{}`", shell::shown(command)))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        self.running.push((name, child));
        forward(name, stdout, &self.events);
        forward(name, stderr, &self.events);
        Ok(())
    }

    /// A program that has ended by itself.
    pub(super) fn ended(&mut self) -> Option<(&'static str, ExitStatus)> {
        self.running
            .iter_mut()
            .find_map(|(name, child)| Some((*name, child.try_wait().ok().flatten()?)))
    }

    /// Ends them, last started first.
    pub(super) fn end(&mut self) {
        while let Some((name, child)) = self.running.pop() {
            end(name, child);
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.end();
    }
}

/// Asks a program to end, then makes it.
fn end(name: &str, mut child: Child) {
    let ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
    if ended(&mut child) {
        return;
    }
    // It may end by itself in this very moment.
    let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
    let patience = Instant::now() + GRACE;
    while Instant::now() < patience {
        if ended(&mut child) {
            return;
        }
        thread::sleep(LOOK);
    }
    eprintln!(
        "{name} did not end within {} s and is killed",
        GRACE.as_secs()
    );
    let _ = child.kill();
    let _ = child.wait();
}

/// Sends every line of `stream` to `events` until either ends.
fn forward(name: &'static str, stream: Option<impl Read + Send + 'static>, events: &Sender<Event>) {
    let Some(stream) = stream else { return };
    let events = events.clone();
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if events.send(Event::Line { from: name, text }).is_err() {
                return;
            }
        }
    });
}

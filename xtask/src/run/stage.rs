//! The programs, what happens to them, and what is shown of it.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::run::event::{Event, listen_for_signals};
use crate::run::metrics::{Page, Sample};
use crate::run::processes::Processes;
use crate::run::screen::Screen;
use crate::run::summary::Summary;
use crate::shell;

/// What the demo server and edge have to say that they are up.
const START: Duration = Duration::from_secs(20);

/// How often the programs are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Starts programs, listens to them and to the person; dropping it ends the programs.
#[derive(Debug)]
pub(super) struct Stage {
    processes: Processes,
    events: Receiver<Event>,
    sender: Sender<Event>,
    screen: Screen,
}

impl Stage {
    /// An empty one. Signals end no program by themselves from now on.
    pub(super) fn new() -> Result<Self> {
        let (sender, events) = channel();
        listen_for_signals(sender.clone())?;
        let processes = Processes::new(sender.clone());
        Ok(Self {
            screen: Screen::new(),
            events,
            processes,
            sender,
        })
    }

    /// Prints a line, or several.
    pub(super) fn say(&mut self, text: &str) {
        self.screen.line(text);
    }

    /// Says loudly what does not work in another account.
    pub(super) fn warn_without_root(&mut self) {
        if !shell::is_root() {
            self.screen.line(
                "!! NOT ROOT: the shield stays off. Packets reach the proxy unfiltered, and bans \
                 have no effect.\n!! Everything else works. Run as root to see the shield.",
            );
        }
    }

    /// Starts the demo server; its address once it listens, `None` when told to stop before.
    pub(super) fn start_demo(&mut self, command: &mut Command) -> Result<Option<SocketAddr>> {
        self.processes.start("demo", command)?;
        self.wait_for("the demo server to listen", |event| match event {
            Event::Line { from: "demo", text } => text
                .split_once("listening on http://")?
                .1
                .trim()
                .parse()
                .ok(),
            _ => None,
        })
    }

    /// Starts `edge`; false when told to stop before it is ready.
    pub(super) fn start_edge(&mut self, command: &mut Command) -> Result<bool> {
        self.processes.start("edge", command)?;
        let ready = self.wait_for("edge to be ready", |event| match event {
            Event::Line { from: "edge", text } => says_ready(text).then_some(()),
            _ => None,
        })?;
        Ok(ready.is_some())
    }

    /// Reads the metrics page once a second from now on.
    pub(super) fn watch_metrics(&self, page: Page) {
        page.watch(self.sender.clone());
    }

    /// Whether the shield runs, from the first reading of the metrics page; says so loudly when it
    /// does not. `None` when told to stop before.
    pub(super) fn shield_runs(&mut self) -> Result<Option<bool>> {
        let first = self.wait_for("the metrics page", |event| match event {
            Event::Sample(Some(sample)) => Some(*sample),
            _ => None,
        })?;
        let Some(Sample { shield, .. }) = first else {
            return Ok(None);
        };
        if !shield && shell::is_root() {
            self.screen.line(
                "!! THE SHIELD IS OFF: this kernel did not take it; edge says why above. Bans have \
                 no effect.",
            );
        }
        Ok(Some(shield))
    }

    /// Shows the summary until told to stop.
    pub(super) fn play(&mut self) -> Result<()> {
        let mut summary = Summary::default();
        loop {
            match self.next()? {
                Some(Event::Stop) => break,
                Some(Event::Sample(sample)) => {
                    let line = summary.line(Instant::now(), sample);
                    self.screen.status(&line);
                }
                Some(Event::Line { from, text }) => self.screen.said(from, &text),
                None => {}
            }
        }
        self.screen.line("Stopping.");
        Ok(())
    }

    /// Shows what the programs say until `wanted` finds what it looks for; `None` when told to stop.
    fn wait_for<T>(
        &mut self,
        what: &str,
        wanted: impl Fn(&Event) -> Option<T>,
    ) -> Result<Option<T>> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            let Some(event) = self.next()? else { continue };
            if let Event::Line { from, text } = &event {
                self.screen.said(from, text);
            }
            if let Event::Stop = event {
                self.screen.line("Stopping.");
                return Ok(None);
            }
            if let Some(found) = wanted(&event) {
                return Ok(Some(found));
            }
        }
        bail!("waited {} s for {what}, in vain", START.as_secs())
    }

    /// The next event, if one comes soon.
    ///
    /// # Errors
    /// When a program has ended by itself; its last words are shown first.
    fn next(&mut self) -> Result<Option<Event>> {
        match self.events.recv_timeout(LOOK) {
            Ok(event) => return Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("this holds a sender itself"),
        }
        // Only when nothing waits to be shown: the reason was said before the end.
        if let Some((name, status)) = self.processes.ended() {
            bail!("{name} ended by itself ({status}); what it said is above");
        }
        Ok(None)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.processes.end();
        // What they said while they ended.
        while let Ok(event) = self.events.try_recv() {
            if let Event::Line { from, text } = event {
                self.screen.said(from, &text);
            }
        }
    }
}

/// Whether a line of the log has the word `ready`.
fn says_ready(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word == "ready")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_a_word() {
        assert!(says_ready("INFO edge: ready, listening on [::]:443"));
        assert!(says_ready("{\"message\":\"ready\"}"));
        assert!(!says_ready("address already in use"));
    }
}

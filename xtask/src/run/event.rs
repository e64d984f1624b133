//! Everything that can happen while the programs run, in one queue: only one place acts and prints.

use std::sync::mpsc::Sender;
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::run::metrics::Sample;

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// A program wrote a line.
    Line {
        /// Which one.
        from: &'static str,
        /// What it wrote.
        text: String,
    },
    /// A reading of the metrics page; `None` when it did not answer.
    Sample(Option<Sample>),
    /// Ctrl-C, SIGTERM, or the terminal is gone.
    Stop,
}

/// Turns signals into events from now on.
pub(super) fn listen_for_signals(events: Sender<Event>) -> Result<()> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals");
    let mut signals = signals?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if events.send(Event::Stop).is_err() {
                return;
            }
        }
    });
    Ok(())
}

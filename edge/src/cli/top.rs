//! `edge top`: what the shield does, as it does it.

mod terminal;
mod view;

use std::io::{self, IsTerminal, Write};

use anyhow::Context;
use clap::Args;

use super::failure::Failure;
use super::output;
use super::socket::Socket;
use crate::observe::admin::{Request, Top as Snapshot};
use terminal::{Input, Terminal};

/// Watch the shield: verdicts a second, the sources that are dropped, bans
///
/// Sources come from the samples that the kernel takes of dropped packets, so their numbers are of
/// samples. Press q to leave.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge top
  edge top --json | jq -c '.sources[0]'     one object a second
  edge top --json --once")]
pub(super) struct Top {
    /// Print one JSON object a line, every second
    #[arg(long)]
    json: bool,
    /// Print once and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    socket: Socket,
}

impl Top {
    pub(super) fn run(self) -> Result<(), Failure> {
        let first = self.read()?;
        if self.once || !(self.json || io::stdout().is_terminal()) {
            output::result(&match self.json {
                true => serde_json::to_string(&first).context("cannot write JSON")?,
                false => view::lines(&first, None, 100, usize::MAX).join("\n"),
            });
            return Ok(());
        }
        match self.json {
            true => self.stream(first),
            false => self.watch(first),
        }
    }

    fn read(&self) -> Result<Snapshot, Failure> {
        self.socket.call(&Request::Top)
    }

    /// Until the reader has gone.
    fn stream(&self, mut snapshot: Snapshot) -> Result<(), Failure> {
        let input = Input::new().context("cannot wait for signals")?;
        loop {
            let line = serde_json::to_string(&snapshot).context("cannot write JSON")?;
            if writeln!(io::stdout().lock(), "{line}").is_err() || input.wait_for_end()? {
                return Ok(());
            }
            snapshot = self.read()?;
        }
    }

    fn watch(&self, mut snapshot: Snapshot) -> Result<(), Failure> {
        let input = Input::new().context("cannot wait for signals")?;
        let terminal = Terminal::enter().context("cannot use this terminal")?;
        let mut before = None;
        loop {
            let (columns, rows) = terminal::size();
            let lines = view::lines(&snapshot, before.as_ref(), columns, rows);
            if terminal.draw(&lines).is_err() || input.wait_for_end()? {
                return Ok(());
            }
            let next = self.read()?;
            before = Some(std::mem::replace(&mut snapshot, next));
        }
    }
}

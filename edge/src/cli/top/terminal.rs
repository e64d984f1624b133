//! A screen of the terminal that leaves the one before it as it was.

use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// Milliseconds between two looks.
const PAUSE_MS: u16 = 1000;

/// The columns and rows of the terminal, or usual ones.
pub(super) fn size() -> (usize, usize) {
    let size = terminal_size::terminal_size();
    size.map_or((80, 24), |(width, height)| {
        (width.0.into(), height.0.into())
    })
}

/// What ends a view: a key, or a signal, which would leave the terminal in disorder otherwise.
pub(super) struct Input {
    signals: SignalFd,
}

impl Input {
    pub(super) fn new() -> io::Result<Input> {
        let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
        let signals: SigSet = signals.into_iter().collect();
        signals.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Input {
            signals: SignalFd::with_flags(&signals, flags)?,
        })
    }

    /// Waits until it is time to look again; true if it is time to end.
    pub(super) fn wait_for_end(&self) -> anyhow::Result<bool> {
        let stdin = io::stdin();
        let keys = PollFd::new(stdin.as_fd(), PollFlags::POLLIN);
        let signals = PollFd::new(self.signals.as_fd(), PollFlags::POLLIN);
        let mut watched = match nix::unistd::isatty(stdin.as_fd()).unwrap_or(false) {
            true => vec![signals, keys],
            // Not ours to read: the end of a file would look like a key.
            false => vec![signals],
        };
        match poll(&mut watched, PollTimeout::from(PAUSE_MS)) {
            Ok(_) => {}
            Err(nix::Error::EINTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let ready = |index: usize| {
            let revents = watched.get(index).and_then(PollFd::revents);
            revents.is_some_and(|revents| !revents.is_empty())
        };
        if ready(0) {
            return Ok(true);
        }
        if !ready(1) {
            return Ok(false);
        }
        // Not through `stdin`, which would keep keys that come together from the next look.
        let mut keys = [0; 64];
        let read = nix::unistd::read(stdin.as_fd(), &mut keys)?;
        Ok(read == 0 || ends(&keys[..read]))
    }
}

/// Whether these keys leave: q, ^C, ^D, and Esc unless it begins the name of another key.
fn ends(keys: &[u8]) -> bool {
    const ESCAPE: u8 = 27;
    keys == [ESCAPE] || keys.iter().any(|key| matches!(key, b'q' | b'Q' | 3 | 4))
}

/// The terminal's second screen, with keys that are neither shown nor wait for a newline nor send
/// signals: ^Z would leave the terminal as it is. Dropping it gives everything back.
pub(super) struct Terminal {
    before: Option<Termios>,
}

impl Terminal {
    pub(super) fn enter() -> io::Result<Terminal> {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet
                .local_flags
                .remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
            tcsetattr(io::stdin(), SetArg::TCSANOW, &quiet)?;
        }
        let terminal = Terminal { before };
        // The alternate screen, without a cursor.
        terminal.write("\x1b[?1049h\x1b[?25l")?;
        Ok(terminal)
    }

    /// Shows lines from the top, in one write, so that nothing flickers.
    pub(super) fn draw(&self, lines: &[String]) -> io::Result<()> {
        let mut frame = String::from("\x1b[H");
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                frame.push_str("\r\n");
            }
            frame.push_str(line);
            frame.push_str("\x1b[K");
        }
        frame.push_str("\x1b[J");
        self.write(&frame)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.write("\x1b[?25h\x1b[?1049l");
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_keys_leave_and_others_do_not() {
        for keys in ["q", "Q", "\x03", "\x04", "\x1b", "xq"] {
            assert!(ends(keys.as_bytes()), "{keys:?}");
        }
        for keys in ["x", "\x1b[A", "\r", " "] {
            assert!(!ends(keys.as_bytes()), "{keys:?}");
        }
    }
}

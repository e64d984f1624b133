//! Ending early without leaving proxies behind.
//!
//! A signal sets a flag that every loop looks at, so that what was started is stopped on the way
//! out. SIGKILL cannot be seen: then the proxies stay and have to be ended by hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Result, bail};
use nix::sys::signal::{SigSet, Signal};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on SIGTERM, SIGINT and SIGHUP are noticed by [`check_interrupt`] and do nothing else.
/// Threads started later inherit that; processes do not, `Command` clears the mask.
pub(crate) fn watch_interrupt() -> Result<()> {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    signals.thread_block()?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if signals.wait().is_ok() {
                INTERRUPTED.store(true, Ordering::Relaxed);
            }
        })?;
    Ok(())
}

/// Fails once a signal has come.
pub(crate) fn check_interrupt() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

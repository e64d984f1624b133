//! Ending early without leaving proxies behind.
//!
//! A signal sets a flag that every loop looks at, so that what was started is stopped on the way
//! out. SIGKILL cannot be seen: then the proxies stay and have to be ended by hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on SIGTERM, SIGINT and SIGHUP are noticed by [`check_interrupt`] and do nothing else.
/// They are handled, not blocked: processes that are started later would inherit a block, and not
/// hear that they are to end.
pub(crate) fn watch_interrupt() -> Result<()> {
    let interrupted = INTERRUPTED.get_or_init(Arc::default);
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(interrupted))?;
    }
    Ok(())
}

/// Fails once a signal has come.
pub(crate) fn check_interrupt() -> Result<()> {
    let interrupted = INTERRUPTED.get();
    if interrupted.is_some_and(|interrupted| interrupted.load(Ordering::Relaxed)) {
        bail!("interrupted");
    }
    Ok(())
}

//! A deadline that is cheap to move.
//!
//! Nearly every deadline of a busy connection is moved before it is reached. Moving one later costs
//! nothing here: the timer stays armed for the earlier time and is armed again when that comes.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::clock::monotonic_ns;

/// One timer of a connection or stream, armed for the nearest deadline it was asked for.
#[derive(Default)]
pub struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed_for_ns: u64,
}

impl Timer {
    /// Ready once `deadline_ns` (monotonic) has passed; otherwise the task is woken when it has.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline_ns: u64) -> Poll<()> {
        loop {
            if self.sleep.is_none() || self.armed_for_ns > deadline_ns {
                let now_ns = monotonic_ns();
                if now_ns >= deadline_ns {
                    return Poll::Ready(());
                }
                self.arm(now_ns, deadline_ns);
            }
            let sleep = self.sleep.as_mut().expect("armed above");
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            // Whatever it was armed for has come; a later deadline needs arming again.
            self.armed_for_ns = u64::MAX;
        }
    }

    fn arm(&mut self, now_ns: u64, deadline_ns: u64) {
        // tokio's clock has millisecond resolution and rounds up: never early.
        let left = Duration::from_nanos(deadline_ns - now_ns);
        #[allow(
            clippy::disallowed_methods,
            reason = "tokio timers take tokio's own instants"
        )]
        let at = Instant::now() + left;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
        self.armed_for_ns = deadline_ns;
    }
}

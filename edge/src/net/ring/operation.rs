//! An operation of the ring as a future.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use io_uring::squeue;

use super::driver;

/// What the kernel works on while an operation is in flight: kept alive until it completes, even
/// when nobody waits for it any more.
pub(in crate::net) trait Work: Unpin + 'static {
    /// What it comes to.
    type Output;

    /// Whether to cancel it when nobody waits for it any more. Operations on a socket end with that.
    const CANCEL: bool = false;

    /// Takes the kernel's answer; called once, also when nobody waits for it any more.
    fn finish(self, outcome: io::Result<u32>) -> Self::Output;
}

/// An operation in flight.
pub(in crate::net) struct Operation<W: Work> {
    key: usize,
    /// There until it has been finished.
    work: Option<W>,
}

impl<W: Work> Operation<W> {
    /// Hands an operation to the ring of this worker, with the end of the turn.
    ///
    /// # Safety
    ///
    /// Whatever `entry` points to must stay where it is for as long as `work` lives, wherever that
    /// is moved, and be the kernel's alone meanwhile.
    pub(in crate::net) unsafe fn submit(work: W, entry: squeue::Entry) -> Operation<W> {
        Operation {
            // SAFETY: `work` lives until the operation has completed: here, or after a drop with the
            // driver.
            key: unsafe { driver::submit(entry) },
            work: Some(work),
        }
    }
}

impl<W: Work> Future for Operation<W> {
    type Output = W::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<W::Output> {
        // Its place may be another operation's by then.
        assert!(self.work.is_some(), "polled after it has completed");
        let result = ready!(driver::poll(self.key, cx));
        let work = self.work.take().expect("as of above");
        Poll::Ready(work.finish(outcome(result)))
    }
}

impl<W: Work> Drop for Operation<W> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            let leave = Box::new(move |result| drop(work.finish(outcome(result))));
            driver::abandon(self.key, leave, W::CANCEL);
        }
    }
}

/// The kernel's answer: a count or descriptor, or a negated errno.
fn outcome(result: i32) -> io::Result<u32> {
    u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

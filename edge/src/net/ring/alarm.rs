//! A point in time as a future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::alarms::Key;
use super::driver;
use crate::clock::monotonic_ns;

/// Ready once its deadline has passed.
#[derive(Debug)]
pub(in crate::net) struct Alarm {
    deadline_ns: u64,
    set: Option<Key>,
}

impl Alarm {
    /// For a time of the monotonic clock.
    pub(in crate::net) fn at(deadline_ns: u64) -> Alarm {
        Alarm {
            deadline_ns,
            set: None,
        }
    }

    /// Moves the deadline.
    pub(in crate::net) fn reset(&mut self, deadline_ns: u64) {
        self.deadline_ns = deadline_ns;
        // What is set for an earlier time stays: when it goes off there is another look.
        if self.set.is_some_and(|(set_ns, _)| set_ns > deadline_ns) {
            self.cancel();
        }
    }

    fn cancel(&mut self) {
        if let Some(key) = self.set.take() {
            driver::cancel(key);
        }
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(key) = self.set {
            // What is replaced is dropped after the borrow.
            let replaced = driver::with(|driver| match driver.alarms.waker(key) {
                Some(waker) if waker.will_wake(cx.waker()) => Some(None),
                Some(waker) => Some(Some(std::mem::replace(waker, cx.waker().clone()))),
                None => None,
            });
            if replaced.is_some() {
                return Poll::Pending;
            }
            self.set = None;
        }
        if monotonic_ns() >= self.deadline_ns {
            return Poll::Ready(());
        }
        let (deadline_ns, waker) = (self.deadline_ns, cx.waker().clone());
        self.set = Some(driver::with(|driver| driver.alarms.set(deadline_ns, waker)));
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.cancel();
    }
}

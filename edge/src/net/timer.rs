//! Waiting for time to pass, on a worker.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use super::ring::Alarm;
use crate::clock::monotonic_ns;

/// One timer of a connection or stream, armed for the nearest deadline it was asked for.
///
/// Nearly every deadline of a busy connection is moved before it is reached. Moving one later costs
/// nothing here: the timer stays armed for the earlier time and is armed again when that comes.
#[derive(Default)]
pub struct Timer {
    alarm: Option<Alarm>,
    armed_for_ns: u64,
}

impl Timer {
    /// Ready once `deadline_ns` (monotonic) has passed; otherwise the task is woken when it has.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline_ns: u64) -> Poll<()> {
        loop {
            if self.alarm.is_none() || self.armed_for_ns > deadline_ns {
                if monotonic_ns() >= deadline_ns {
                    return Poll::Ready(());
                }
                self.armed_for_ns = deadline_ns;
                match &mut self.alarm {
                    Some(alarm) => alarm.reset(deadline_ns),
                    None => self.alarm = Some(Alarm::at(deadline_ns)),
                }
            }
            let alarm = self.alarm.as_mut().expect("armed above");
            if Pin::new(alarm).poll(cx).is_pending() {
                return Poll::Pending;
            }
            // Whatever it was armed for has come; a later deadline needs arming again.
            self.armed_for_ns = u64::MAX;
        }
    }
}

/// Waits.
pub fn sleep(duration: Duration) -> impl Future<Output = ()> {
    Alarm::at(after(duration))
}

/// Nothing came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

/// Waits for a future, but no longer than that.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut alarm = Alarm::at(after(duration));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut alarm).poll(cx).map(|()| Err(Elapsed))
    })
    .await
}

/// Goes off again and again.
pub struct Interval {
    alarm: Alarm,
    period_ns: u64,
    next_ns: u64,
}

impl Interval {
    /// For the first time a period from now.
    pub fn new(period: Duration) -> Interval {
        let next_ns = after(period);
        Interval {
            alarm: Alarm::at(next_ns),
            period_ns: nanoseconds(period),
            next_ns,
        }
    }

    /// The next time; those that were missed follow at once. Loses nothing when it is dropped.
    pub async fn tick(&mut self) {
        Pin::new(&mut self.alarm).await;
        self.next_ns = self.next_ns.saturating_add(self.period_ns);
        self.alarm.reset(self.next_ns);
    }
}

fn after(duration: Duration) -> u64 {
    monotonic_ns().saturating_add(nanoseconds(duration))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

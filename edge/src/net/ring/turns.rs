//! The turns of a worker.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::task::{LocalSet, unconstrained};

use super::bell::{Bell, Called};
use super::driver::{self, Installed};

/// Runs `main`, and the tasks it starts, until `main` ends; then the tasks are dropped.
pub(in crate::net) fn run<F: Future>(main: F) -> io::Result<F::Output> {
    let bell = Bell::new()?;
    // Goes last: tasks leave operations behind.
    let _installed = Installed::new(Arc::clone(&bell))?;
    let tasks = LocalSet::new();
    let mut main = pin!(unconstrained(main));
    let called = Called::new(Arc::clone(&bell));
    let caller = Waker::from(Arc::clone(&called));
    // Polled in every turn, which most of the time is none of its business.
    let main = poll_fn(|_| match called.take() {
        true => main.as_mut().poll(&mut Context::from_waker(&caller)),
        false => Poll::Pending,
    });
    let mut all = pin!(tasks.run_until(main));
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    loop {
        bell.quiet();
        if let Poll::Ready(output) = all.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        driver::turn();
    }
}

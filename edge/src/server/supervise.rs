//! A worker that fails is started again in its place.
//!
//! A panic in the task of a connection costs that connection. One anywhere else ends the worker with
//! all of its connections, and those of other workers stay where they are: its sockets are kept open,
//! so that no packet changes hands. Where that does not help the process ends, for the service manager
//! to start all of it anew.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use edge_common::Gcra;

use super::worker::{self, WorkerPlan};
use crate::clock::monotonic_ns;
use crate::observe::metrics::Metrics;

/// Restarts at once, and the time after which there may be one more.
const RESTARTS: u32 = 5;
const EVERY_NS: u64 = 60_000_000_000;

/// Starts a worker on a thread of its own.
pub(super) fn start(mut plan: WorkerPlan, metrics: Metrics) -> io::Result<JoinHandle<()>> {
    let worker = plan.index;
    thread::Builder::new()
        .name(format!("worker-{worker}"))
        .spawn(move || {
            let limit = Gcra::from_interval(EVERY_NS, RESTARTS).expect("neither is zero");
            let mut state = 0;
            while catch_unwind(AssertUnwindSafe(|| worker::run(&mut plan))).is_err() {
                match limit.admit(state, monotonic_ns()) {
                    Ok(next) => state = next,
                    Err(_) => {
                        tracing::error!(worker, "a worker fails again and again, giving up");
                        std::process::exit(1);
                    }
                }
                metrics.worker_restarted();
                tracing::error!(
                    worker,
                    "A WORKER HAS FAILED; it is started again, its connections are lost"
                );
            }
        })
}

#[cfg(test)]
mod tests;

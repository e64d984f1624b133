//! The runtime of one worker thread.

use std::future::Future;
use std::io;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use tokio::task::AbortHandle;

/// Submission queue entries: how many operations one turn can hand to the kernel at once. The
/// completion queue is four times as large; beyond it the kernel keeps an overflow list.
const RING_ENTRIES: u32 = 1024;

/// Runs `main` to its end on this thread with a ring of its own.
///
/// COOP_TASKRUN with TASKRUN_FLAG keeps the kernel from interrupting the worker to post
/// completions (io_uring_setup(2)); only this thread submits.
pub fn run_worker<F: Future>(main: F) -> F::Output {
    let mut ring = tokio_uring::uring_builder();
    ring.setup_cqsize(RING_ENTRIES * 4)
        .setup_coop_taskrun()
        .setup_taskrun_flag()
        .setup_single_issuer();
    tokio_uring::builder()
        .entries(RING_ENTRIES)
        .uring_builder(&ring)
        .start(main)
}

/// Starts a task on this worker. A panic in it ends the task only.
pub fn spawn<F: Future<Output = ()> + 'static>(task: F) {
    // The handle is dropped: the task goes on by itself.
    drop(tokio_uring::spawn(task));
}

/// The same, and a way to end it early, which drops what it holds.
pub fn spawn_held<F: Future<Output = ()> + 'static>(task: F) -> AbortHandle {
    tokio_uring::spawn(task).abort_handle()
}

/// Binds the calling thread to one CPU.
pub fn pin_to_cpu(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Whether this kernel and account may have a ring as the workers set it up.
pub fn probe_ring() -> io::Result<()> {
    let mut ring = tokio_uring::uring_builder();
    ring.setup_coop_taskrun()
        .setup_taskrun_flag()
        .setup_single_issuer();
    ring.build(1).map(|_| ())
}

//! The runtime of one worker thread.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use tokio::task::{AbortHandle, JoinHandle, spawn_local, unconstrained};

use super::ring;

/// Runs `main` to its end on this thread with a ring of its own.
///
/// # Panics
///
/// Where the kernel gives no ring, or takes it back: [`probe_ring`] tells beforehand.
pub fn run_worker<F: Future>(main: F) -> F::Output {
    match ring::run(main) {
        Ok(output) => output,
        Err(error) => panic!("io_uring_setup: {error}"),
    }
}

/// Starts a task on this worker. A panic in it ends the task only.
pub fn spawn<F: Future<Output = ()> + 'static>(task: F) {
    // The handle is dropped: the task goes on by itself.
    drop(start(task));
}

/// The same, and a way to end it early, which drops what it holds.
pub fn spawn_held<F: Future<Output = ()> + 'static>(task: F) -> AbortHandle {
    start(task).abort_handle()
}

/// What is ready comes from the ring, between two turns; a task that would not end its turn for any
/// other reason is none of ours, and `tokio`'s budgets would hand it to an event loop that is not run.
/// `tokio` moves a task when it starts and when it has ended, so it gets a pointer.
fn start<F: Future<Output = ()> + 'static>(task: F) -> JoinHandle<()> {
    let task: Pin<Box<dyn Future<Output = ()>>> = Box::pin(task);
    spawn_local(unconstrained(task))
}

/// Lets every other task that is ready go first.
pub async fn turn() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Binds the calling thread to one CPU.
pub fn pin_to_cpu(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Whether this kernel and account may have a ring as the workers set it up.
pub fn probe_ring() -> io::Result<()> {
    ring::builder().build(1).map(|_| ())
}

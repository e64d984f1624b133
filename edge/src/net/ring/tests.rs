//! Workers as they run, with sockets of their own.

use std::cell::Cell;
use std::future::{Future as _, poll_fn};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::oneshot;

use crate::clock::monotonic_ns;
use crate::net::op::{self, Arrival};
use crate::net::{
    Elapsed, Interval, Urgent, event_passed, run_worker, sleep, spawn, spawn_held, timeout, turn,
    unawaited,
};

const MOMENT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(60);

fn pair() -> (Rc<OwnedFd>, Rc<OwnedFd>) {
    let (here, there) = UnixStream::pair().expect("two descriptors are left");
    (Rc::new(here.into()), Rc::new(there.into()))
}

fn recv(fd: &Rc<OwnedFd>) -> op::Transfer {
    op::recv(fd, BytesMut::with_capacity(64), Arrival::Later)
}

async fn send(fd: &Rc<OwnedFd>, bytes: &[u8]) {
    let (outcome, _) = op::send(fd, BytesMut::from(bytes)).await;
    assert_eq!(outcome.expect("the other end is there"), bytes.len());
}

#[test]
fn tasks_take_turns_and_time_passes() {
    let start_ns = monotonic_ns();
    let ticks = run_worker(async {
        let ticks = Rc::new(Cell::new(0));
        let counted = Rc::clone(&ticks);
        spawn(async move {
            let mut interval = Interval::new(MOMENT);
            loop {
                interval.tick().await;
                counted.set(counted.get() + 1);
            }
        });
        assert_eq!(
            timeout(MOMENT, std::future::pending::<()>()).await,
            Err(Elapsed)
        );
        assert_eq!(timeout(LONG, turn()).await, Ok(()));
        sleep(MOMENT * 5).await;
        ticks.get()
    });
    assert!(monotonic_ns() - start_ns >= 30_000_000, "never early");
    assert!((4..=6000).contains(&ticks), "{ticks}");
}

/// An alarm that was set first must not hide one that goes off earlier, on a worker that never sleeps.
#[test]
fn alarms_go_off_on_a_busy_worker() {
    run_worker(async {
        spawn(sleep(LONG));
        turn().await;
        spawn(async {
            loop {
                turn().await;
            }
        });
        sleep(MOMENT).await;
        sleep(MOMENT * 2).await;
    });
}

#[test]
fn another_thread_wakes_a_worker_that_sleeps() {
    let (asks, asked) = mpsc::channel::<oneshot::Sender<u32>>();
    let other = thread::spawn(move || {
        for (number, answer) in (0..).zip(asked) {
            // Now and then when it sleeps for certain.
            if number % 100 == 0 {
                thread::park_timeout(MOMENT);
            }
            answer.send(number).expect("it waits");
        }
    });
    run_worker(async move {
        for number in 0..1000 {
            let (answer, answered) = oneshot::channel();
            asks.send(answer).expect("it answers");
            assert_eq!(answered.await, Ok(number));
        }
    });
    other.join().expect("it ends with the last question");
}

/// More than the queues hold, in one turn.
#[test]
fn thousands_of_operations_at_once() {
    run_worker(async {
        let pairs: Vec<_> = (0..5000).map(|_| pair()).collect();
        let mut receiving: Vec<_> = pairs.iter().map(|(here, _)| recv(here)).collect();
        for (_, there) in &pairs {
            drop(op::send(there, BytesMut::from("x")));
        }
        for receiving in &mut receiving {
            let (outcome, bytes) = receiving.await;
            assert_eq!((outcome.expect("sent"), &bytes[..]), (1, &b"x"[..]));
        }
    });
}

/// A busy worker takes for granted that a send ends at once for whose end nobody waits. One that does
/// not holds up nobody else.
#[test]
fn a_send_that_does_not_end_at_once_holds_nobody_up() {
    run_worker(async {
        let (full, _slow) = pair();
        let filling = Rc::clone(&full);
        spawn(async move {
            // Until the other end, which reads nothing, has no room.
            loop {
                let (outcome, _) = op::send(&filling, BytesMut::zeroed(16 * 1024)).await;
                outcome.expect("the other end is there");
            }
        });
        let (here, there) = pair();
        for round in 0..300 {
            // Both are handed over in the same turn.
            let receiving = recv(&here);
            unawaited(|| {
                drop(op::send(&full, BytesMut::from("more")));
                drop(op::send(&there, BytesMut::from("x")));
            });
            let received = timeout(LONG, receiving).await;
            let (outcome, _) = received.unwrap_or_else(|Elapsed| panic!("stuck in round {round}"));
            assert_eq!(outcome.expect("sent"), 1);
        }
    });
}

/// In how many of fifty rounds a worker takes two messages at once that come a fifth of a millisecond apart,
/// while events of streams pass by the thousand.
async fn taken_together() -> u32 {
    let (near, far) = (pair(), pair());
    let (starts, started) = mpsc::channel::<()>();
    let others: Vec<UnixStream> = [&near, &far]
        .map(|(_, there)| there.try_clone().expect("a descriptor is left").into())
        .into();
    let other = thread::spawn(move || {
        for () in started {
            for mut stream in &others {
                let start_ns = monotonic_ns();
                while monotonic_ns() - start_ns < 200_000 {}
                stream.write_all(b"x").expect("the other end is there");
            }
        }
    });
    let mut together = 0;
    for _ in 0..50 {
        (0..1000).for_each(|_| event_passed());
        let (mut first, mut second) = (pin!(recv(&near.0)), pin!(recv(&far.0)));
        starts.send(()).expect("it listens");
        let _ = first.as_mut().await;
        let is_there = poll_fn(|cx| Poll::Ready(second.as_mut().poll(cx).is_ready())).await;
        together += u32::from(is_there);
        if !is_there {
            let _ = second.await;
        }
    }
    drop(starts);
    other.join().expect("it has no more to do");
    together
}

#[test]
fn events_gather_unless_somebody_waits_for_an_answer() {
    run_worker(async {
        // Until it is known that there is a crowd.
        (0..1000).for_each(|_| event_passed());
        sleep(Duration::from_millis(30)).await;
        // With nothing to take when the time is over.
        sleep(MOMENT).await;
        let mut seen = Vec::new();
        // Whether threads run as they should is up to the machine, which may be busy.
        for _ in 0..10 {
            let gathered = taken_together().await;
            let urgent = Urgent::new();
            let at_once = taken_together().await;
            drop(urgent);
            if gathered > 25 && at_once < 25 {
                return;
            }
            seen.push((gathered, at_once));
        }
        panic!("{seen:?}");
    });
}

/// What nobody waits for any more keeps its buffer and its descriptor until it has completed.
#[test]
fn operations_outlive_their_futures() {
    let (here, there) = run_worker(async {
        let (here, there) = pair();
        let mut receiving = recv(&here);
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut receiving).poll(&mut nobody).is_pending());
        drop(receiving);
        assert_eq!(Rc::strong_count(&here), 2, "the operation has it");
        send(&there, b"for nobody").await;
        while Rc::strong_count(&here) > 1 {
            turn().await;
        }
        // One that never completes, and one of a task: they end with the worker.
        let (fd, other) = (Rc::clone(&here), Rc::clone(&there));
        spawn(async move {
            drop(recv(&fd).await);
        });
        drop(recv(&other));
        turn().await;
        (here, there)
    });
    assert_eq!((Rc::strong_count(&here), Rc::strong_count(&there)), (1, 1));
}

#[test]
fn a_panic_ends_its_task_and_an_abort_too() {
    run_worker(async {
        let (here, there) = pair();
        let fd = Rc::clone(&here);
        spawn(async move {
            let _receiving = recv(&fd);
            panic!("as the test wants");
        });
        let fd = Rc::clone(&here);
        let held = spawn_held(async move {
            drop(recv(&fd).await);
        });
        turn().await;
        held.abort();
        send(&there, b"for two who are gone").await;
        while Rc::strong_count(&here) > 1 {
            send(&there, b"x").await;
            turn().await;
        }
    });
}

#[test]
fn a_panic_of_the_worker_is_its_callers_and_another_can_follow() {
    let failed = thread::spawn(|| {
        let failed = std::panic::catch_unwind(|| {
            run_worker(async {
                let (here, _there) = pair();
                spawn(async move {
                    drop(recv(&here).await);
                });
                turn().await;
                panic!("as the test wants");
            });
        });
        assert!(failed.is_err());
        run_worker(async {
            let mut left = 3;
            poll_fn(|cx| {
                left -= 1;
                cx.waker().wake_by_ref();
                match left {
                    0 => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            })
            .await;
        });
    });
    failed.join().expect("the second one ends well");
}

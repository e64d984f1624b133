//! The submission and completion queues of one worker.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use io_uring::types::{CancelBuilder, Fd, TimeoutFlags, Timespec};
use io_uring::{IoUring, opcode, squeue};
use slab::Slab;

use super::alarms::{Alarms, Key};
use super::bell::Bell;
use super::gather::{self, Crowd};
use crate::clock::monotonic_ns;

/// Submission queue entries: how many operations one turn can hand to the kernel at once.
const ENTRIES: u32 = 1024;
/// Completions that wait to be read; beyond them the kernel keeps an overflow list.
const COMPLETIONS: u32 = ENTRIES * 4;

/// `IORING_ENTER_GETEVENTS` (io_uring_enter(2)): post what has completed.
const GETEVENTS: u32 = 1;

/// A worker is busy whose last sleep was shorter.
const BUSY_NS: u64 = 1_000_000;
/// As long as a busy worker sleeps at most where a send does not end at once against expectation.
static GUARD: Timespec = Timespec::new().nsec(5_000_000);

/// The names of entries that are no operation of a task.
const ALARM: u64 = u64::MAX;
const BELL: u64 = u64::MAX - 1;
const NOBODY: u64 = u64::MAX - 2;
const GUARDIAN: u64 = u64::MAX - 3;

thread_local! {
    static DRIVER: RefCell<Option<Driver>> = const { RefCell::new(None) };
}

/// The ring as workers have it: one thread submits, and completions are posted when it asks for
/// them instead of interrupting it (io_uring_setup(2), `IORING_SETUP_DEFER_TASKRUN`, Linux 6.1).
pub(in crate::net) fn builder() -> io_uring::Builder {
    let mut builder = tokio_uring::uring_builder();
    builder
        .setup_cqsize(COMPLETIONS)
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag();
    builder
}

/// What an operation has come to.
enum State {
    Waiting(Option<Waker>),
    Done(i32),
    /// Nobody waits: this ends it.
    Left(Leave),
}

type Leave = Box<dyn FnOnce(i32)>;

/// What is to be done about a completion; may run anything, so never while the driver is borrowed.
enum Event {
    Wake(Waker),
    Leave(Leave, i32),
}

impl Event {
    fn happen(self) {
        match self {
            Event::Wake(waker) => waker.wake(),
            Event::Leave(leave, result) => leave(result),
        }
    }
}

pub(super) struct Driver {
    ring: IoUring,
    operations: Slab<State>,
    /// Sends of this turn that are likely to complete as they are handed over, and that nobody waits for.
    swift: u32,
    /// Somebody waits for another send of this turn.
    is_hurried: bool,
    /// The last sleep was short.
    is_busy: bool,
    /// There will be a completion soon, whatever else happens.
    is_guarded: bool,
    /// Where the kernel can let events gather.
    crowd: Option<Crowd>,
    events: VecDeque<Event>,
    pub(super) alarms: Alarms,
    /// When the ring wakes the worker for the next alarm.
    armed_ns: Option<u64>,
    /// Read by the kernel while it takes an entry.
    timespec: Box<Timespec>,
    bell: Arc<Bell>,
    is_listening: bool,
    /// What ringing has counted up, written by the kernel.
    rung: Box<u64>,
}

/// The driver of this thread, until it is dropped.
pub(super) struct Installed(());

impl Installed {
    pub(super) fn new(bell: Arc<Bell>) -> io::Result<Installed> {
        let ring = builder().build(ENTRIES)?;
        let driver = Driver {
            crowd: gather::is_known(&ring).then(Crowd::default),
            ring,
            operations: Slab::new(),
            swift: 0,
            is_hurried: false,
            is_busy: false,
            is_guarded: false,
            events: VecDeque::new(),
            alarms: Alarms::default(),
            armed_ns: None,
            timespec: Box::default(),
            bell,
            is_listening: false,
            rung: Box::default(),
        };
        DRIVER.set(Some(driver));
        Ok(Installed(()))
    }
}

impl Drop for Installed {
    /// Cancels what is under way and waits for it: the kernel still writes to its buffers.
    fn drop(&mut self) {
        loop {
            let is_over = with(|driver| driver.cancel_all().map(|()| driver.is_over()));
            happen();
            match is_over {
                Ok(false) => {}
                Ok(true) => return drop(DRIVER.take()),
                // Then nothing may be freed that it might write to.
                Err(_) => return std::mem::forget(DRIVER.take()),
            }
        }
    }
}

/// # Safety
///
/// As of [`super::Operation::submit`], until the operation has completed.
pub(super) unsafe fn submit(entry: squeue::Entry) -> usize {
    with(|driver| {
        let key = driver.operations.insert(State::Waiting(None));
        // SAFETY: the caller's.
        unsafe { driver.push(entry.user_data(key as u64)) };
        key
    })
}

/// What was submitted last is likely to complete as it is handed over, and nobody waits for that alone.
pub(in crate::net) fn completes_at_once() {
    with(|driver| driver.swift += 1);
}

/// Somebody waits for what completes as this turn's operations are handed over.
pub(in crate::net) fn hurry() {
    with(|driver| driver.is_hurried = true);
}

/// The kernel's answer, once: then the operation is forgotten.
pub(super) fn poll(key: usize, cx: &mut Context<'_>) -> Poll<i32> {
    // A waker that is replaced is dropped after the borrow.
    let (outcome, _replaced) = with(|driver| match &mut driver.operations[key] {
        State::Waiting(Some(waker)) if waker.will_wake(cx.waker()) => (Poll::Pending, None),
        State::Waiting(waiter) => (Poll::Pending, waiter.replace(cx.waker().clone())),
        State::Done(result) => {
            let result = *result;
            driver.operations.remove(key);
            (Poll::Ready(result), None)
        }
        State::Left(_) => unreachable!("its future is gone"),
    });
    outcome
}

/// Nobody waits for an operation any more: `leave` keeps alive what the kernel works on.
pub(super) fn abandon(key: usize, leave: Leave, cancel: bool) {
    let state = try_with(|driver| {
        let state = &mut driver.operations[key];
        if let State::Done(_) = state {
            return (driver.operations.remove(key), Some(leave));
        }
        let state = std::mem::replace(state, State::Left(leave));
        if cancel {
            let entry = opcode::AsyncCancel::new(key as u64).build();
            // SAFETY: the entry points to nothing.
            unsafe { driver.push(entry.user_data(NOBODY)) };
        }
        (state, None)
    });
    if let Some((State::Done(result), Some(leave))) = state {
        leave(result);
    }
}

/// Takes an alarm back.
pub(super) fn cancel(alarm: Key) {
    drop(try_with(|driver| driver.alarms.cancel(alarm)));
}

/// The end of a turn: hands over what has been begun, takes what has completed, and sleeps until
/// something has if nobody is ready.
///
/// # Panics
///
/// Where the kernel refuses for good: a worker without its ring cannot go on.
pub(super) fn turn() {
    if let Err(error) = with(Driver::turn) {
        panic!("io_uring_enter: {error}");
    }
    happen();
}

pub(super) fn with<T>(f: impl FnOnce(&mut Driver) -> T) -> T {
    try_with(f).expect("on the thread of a worker")
}

/// Where there is no driver any more, what it worked on has completed.
fn try_with<T>(f: impl FnOnce(&mut Driver) -> T) -> Option<T> {
    DRIVER.with_borrow_mut(|driver| driver.as_mut().map(f))
}

fn happen() {
    while let Some(event) = with(|driver| driver.events.pop_front()) {
        event.happen();
    }
}

impl Driver {
    fn turn(&mut self) -> io::Result<()> {
        self.arm();
        if self.bell.is_rung() {
            let submission = self.ring.submission();
            if !submission.is_empty() || submission.taskrun() || submission.cq_overflow() {
                drop(submission);
                self.enter(0)?;
            }
        } else {
            self.listen();
            // Where there were more entries than the queue holds, completions have been taken already.
            match self.events.is_empty() && self.bell.may_sleep() {
                true => self.sleep()?,
                false => self.enter(0)?,
            }
            self.bell.awake();
        }
        self.begin_turn();
        self.collect();
        Ok(())
    }

    fn begin_turn(&mut self) {
        self.swift = 0;
        self.is_hurried = false;
    }

    /// Sleeps until something has completed. A busy worker does not wake for sends that have left as
    /// they were handed over: whoever sent waits for something else, and looks at both then.
    fn sleep(&mut self) -> io::Result<()> {
        if self.crowd.as_mut().is_some_and(Crowd::may_wait) {
            let submit = self.submissions();
            // SAFETY: entries point to what lives until they complete.
            return go_on(unsafe { gather::sleep(&self.ring, submit) });
        }
        if self.is_hurried || (self.swift > 0 && !self.is_busy) {
            return self.enter(1);
        }
        if self.swift > 0 {
            self.guard();
        }
        let start_ns = monotonic_ns();
        self.enter(1 + self.swift)?;
        self.is_busy = monotonic_ns() - start_ns < BUSY_NS;
        Ok(())
    }

    /// Bounds the sleep of a worker whose sends wait for room. One timer at a time, and not one for
    /// each sleep, which would cost more than a turn where setting a timer leaves the virtual machine.
    fn guard(&mut self) {
        if self.is_guarded {
            return;
        }
        self.is_guarded = true;
        let entry = opcode::Timeout::new(&raw const GUARD).build();
        // SAFETY: the time is a static.
        unsafe { self.push(entry.user_data(GUARDIAN)) };
    }

    /// # Safety
    ///
    /// As of [`super::Operation::submit`], until the operation has completed.
    unsafe fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: the caller's.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            if let Err(error) = self.enter(0) {
                panic!("io_uring_enter: {error}");
            }
            self.begin_turn();
            self.collect();
        }
    }

    fn enter(&mut self, want: u32) -> io::Result<()> {
        let submit = self.submissions();
        // SAFETY: no argument, and entries point to what lives until they complete.
        go_on(unsafe {
            let submitter = self.ring.submitter();
            submitter.enter::<libc::sigset_t>(submit, want, GETEVENTS, None)
        })
    }

    fn submissions(&mut self) -> u32 {
        u32::try_from(self.ring.submission().len()).unwrap_or(u32::MAX)
    }

    fn collect(&mut self) {
        for completed in self.ring.completion() {
            let result = completed.result();
            let key = match completed.user_data() {
                ALARM => {
                    self.armed_ns = None;
                    continue;
                }
                BELL => {
                    self.is_listening = false;
                    continue;
                }
                GUARDIAN => {
                    self.is_guarded = false;
                    continue;
                }
                NOBODY => continue,
                key => key as usize,
            };
            match std::mem::replace(&mut self.operations[key], State::Done(result)) {
                State::Waiting(waiter) => self.events.extend(waiter.map(Event::Wake)),
                State::Left(leave) => {
                    self.operations.remove(key);
                    self.events.push_back(Event::Leave(leave, result));
                }
                State::Done(_) => unreachable!("an operation completes once"),
            }
        }
        if self.armed_ns.is_none() && self.alarms.next_ns().is_some() {
            let now_ns = monotonic_ns();
            while let Some(waker) = self.alarms.due(now_ns) {
                self.events.push_back(Event::Wake(waker));
            }
        }
    }

    /// Has the ring wake the worker for the next alarm. One that is taken back or moved to a later
    /// time leaves the earlier waking in place.
    fn arm(&mut self) {
        let Some(next_ns) = self.alarms.next_ns() else {
            return;
        };
        if self.armed_ns.is_some_and(|armed_ns| armed_ns <= next_ns) {
            return;
        }
        *self.timespec = Timespec::new()
            .sec(next_ns / 1_000_000_000)
            .nsec((next_ns % 1_000_000_000) as u32);
        let timespec = &raw const *self.timespec;
        let entry = match self.armed_ns.replace(next_ns) {
            None => opcode::Timeout::new(timespec)
                .flags(TimeoutFlags::ABS)
                .build()
                .user_data(ALARM),
            // Where it is going off at this moment, its completion is on the way.
            Some(_) => opcode::TimeoutUpdate::new(ALARM, timespec)
                .flags(TimeoutFlags::ABS)
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS)
                .user_data(NOBODY),
        };
        // SAFETY: the kernel reads the time while it takes the entry, which is before the next turn.
        unsafe { self.push(entry) };
    }

    fn listen(&mut self) {
        if self.is_listening {
            return;
        }
        self.is_listening = true;
        let count = (&raw mut *self.rung).cast();
        let entry =
            opcode::Read::new(Fd(self.bell.event()), count, size_of::<u64>() as u32).build();
        // SAFETY: the count and the descriptor live as long as the driver, which waits for the end
        // of all operations.
        unsafe { self.push(entry.user_data(BELL)) };
    }

    fn cancel_all(&mut self) -> io::Result<()> {
        // What has been shut down completes by itself, a few at a time. To cancel it takes the kernel a walk
        // past all the others, each time.
        loop {
            let before = self.events.len();
            self.enter(0)?;
            self.collect();
            if self.events.len() == before {
                break;
            }
        }
        // Fails where there is nothing to cancel, or something cannot be: that is waited for.
        let _ = self
            .ring
            .submitter()
            .register_sync_cancel(None, CancelBuilder::any());
        self.enter(0)?;
        self.collect();
        Ok(())
    }

    fn is_over(&self) -> bool {
        let waits = |(_, state): (usize, &State)| !matches!(state, State::Done(_));
        !self.is_listening && !self.operations.iter().any(waits)
    }
}

fn go_on(entered: io::Result<usize>) -> io::Result<()> {
    match entered.map_err(|error| (error.raw_os_error(), error)) {
        Ok(_) => Ok(()),
        // A signal, the end of a wait, a full list of completions, a lack of memory: the next turn goes on.
        Err((Some(libc::EINTR | libc::ETIME | libc::EBUSY | libc::EAGAIN | libc::ENOMEM), _)) => {
            Ok(())
        }
        Err((_, error)) => Err(error),
    }
}

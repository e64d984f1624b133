//! Whether anybody waits for what a worker does next. Where nobody does but readers of event streams, and
//! those are many, it lets a few events come together before it wakes.

use std::cell::Cell;

thread_local! {
    static URGENT: Cell<usize> = const { Cell::new(0) };
    static EVENTS: Cell<u64> = const { Cell::new(0) };
}

/// Somebody waits for what comes next while one of these is held: in a handshake, for an answer.
#[derive(Debug)]
pub struct Urgent(());

impl Urgent {
    /// On the thread of the worker, where it stays.
    #[expect(clippy::new_without_default, reason = "it does something")]
    pub fn new() -> Urgent {
        URGENT.set(URGENT.get() + 1);
        Urgent(())
    }
}

impl Drop for Urgent {
    fn drop(&mut self) {
        URGENT.set(URGENT.get() - 1);
    }
}

/// One who is [`Urgent`] has what it waited for, and can wait a moment for more while this is held.
#[derive(Debug)]
pub struct Patient(());

impl Patient {
    /// Takes back one [`Urgent`] that outlives this.
    #[expect(clippy::new_without_default, reason = "it does something")]
    pub fn new() -> Patient {
        URGENT.set(URGENT.get() - 1);
        Patient(())
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        URGENT.set(URGENT.get() + 1);
    }
}

/// Part of an event stream has passed.
pub fn event_passed() {
    EVENTS.set(EVENTS.get() + 1);
}

pub(super) fn is_anybody_urgent() -> bool {
    URGENT.get() > 0
}

pub(super) fn events_passed() -> u64 {
    EVENTS.get()
}

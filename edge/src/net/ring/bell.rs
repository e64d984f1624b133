//! What wakes a worker from outside its ring.

use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Says that a task of the worker is ready. Its own thread rings it for nearly every completion,
/// which is a store; another thread's ringing also writes to the descriptor, if the worker sleeps.
pub(super) struct Bell {
    rung: AtomicBool,
    asleep: AtomicBool,
    event: EventFd,
}

impl Bell {
    pub(super) fn new() -> io::Result<Arc<Bell>> {
        Ok(Arc::new(Bell {
            rung: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            event: EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?,
        }))
    }

    /// What becomes readable when somebody rings while the worker sleeps.
    pub(super) fn event(&self) -> RawFd {
        self.event.as_raw_fd()
    }

    /// Whether it has been rung.
    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::SeqCst)
    }

    /// From now on it has not been rung.
    pub(super) fn quiet(&self) {
        self.rung.store(false, Ordering::SeqCst);
    }

    /// Announces sleep; `false` where it has been rung before that was known. Each side stores its
    /// own flag before it reads the other's, so that one of them sees the other.
    pub(super) fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let may_sleep = !self.is_rung();
        if !may_sleep {
            self.awake();
        }
        may_sleep
    }

    /// Sleep is over.
    pub(super) fn awake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            // Fails only when the counter is full: then it is readable already.
            let _ = self.event.write(1);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// The waker of a future that is polled along with others: it alone knows which of them was meant.
pub(super) struct Called {
    called: AtomicBool,
    bell: Arc<Bell>,
}

impl Called {
    pub(super) fn new(bell: Arc<Bell>) -> Arc<Called> {
        Arc::new(Called {
            called: AtomicBool::new(true),
            bell,
        })
    }

    /// Whether it was called since the last look.
    pub(super) fn take(&self) -> bool {
        self.called.load(Ordering::Relaxed) && self.called.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.called.store(true, Ordering::SeqCst);
        self.bell.ring();
    }
}

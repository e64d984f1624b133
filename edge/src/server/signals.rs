//! Signals, turned into a phase that everybody can watch.
//!
//! SIGTERM and SIGINT ask for a drain, a second one for an end at once. SIGHUP asks for a reload, SIGUSR1
//! for the log to be opened anew.
//! SIGPIPE is ignored by the
//! Rust runtime before `main`: a closed pipe is an error of the write that hits it.

use std::io;

use nix::sys::signal::{SigSet, Signal as Number};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::reload::Job;

/// How far the process is on its way out. Phases only ever move forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    #[default]
    Serve,
    /// Accepting nothing new; what runs may finish until the drain deadline.
    Drain,
    /// Ending everything at once.
    Stop,
}

/// Lets the signals through that are listened to: a parent may have handed down a mask that blocks
/// them (signal(7)). Call it before there are threads, which inherit the mask.
pub fn unblock() {
    let heard = [
        Number::SIGTERM,
        Number::SIGINT,
        Number::SIGHUP,
        Number::SIGUSR1,
    ];
    SigSet::from_iter(heard)
        .thread_unblock()
        .expect("signals that exist can be let through");
}

/// The signals that are listened to.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user1: Signal,
}

impl Signals {
    /// Takes over the signals; they no longer end the process. Needs a tokio runtime with I/O.
    pub fn install() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }

    /// Moves `phase` forward as signals arrive and passes on what else they ask for, until the
    /// returned future is dropped.
    pub async fn drive(mut self, phase: &watch::Sender<Phase>, ask: impl Fn(Job)) {
        loop {
            let name = tokio::select! {
                Some(()) = self.terminate.recv() => "SIGTERM",
                Some(()) = self.interrupt.recv() => "SIGINT",
                Some(()) = self.hangup.recv() => {
                    ask(Job::Reload(None));
                    continue;
                }
                Some(()) = self.user1.recv() => {
                    ask(Job::ReopenLog);
                    continue;
                }
                // The runtime is going away.
                else => return std::future::pending().await,
            };
            phase.send_modify(|phase| *phase = next(*phase));
            match *phase.borrow() {
                Phase::Stop => tracing::warn!(signal = name, "stopping at once"),
                _ => tracing::info!(signal = name, "draining; a second signal stops at once"),
            }
        }
    }
}

fn next(phase: Phase) -> Phase {
    match phase {
        Phase::Serve => Phase::Drain,
        Phase::Drain | Phase::Stop => Phase::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal, raise};
    use std::cell::RefCell;
    use std::time::Duration;

    #[test]
    fn two_signals_end_it_and_a_hangup_reloads() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let (phase, mut watched) = watch::channel(Phase::default());
            let signals = Signals::install().expect("signals can be taken");
            let asked = RefCell::new(Vec::new());
            let test = async {
                raise(Signal::SIGHUP).expect("it is raised");
                let moved = tokio::time::timeout(Duration::from_millis(100), watched.changed());
                assert!(moved.await.is_err(), "a hangup moved the phase");
                raise(Signal::SIGUSR1).expect("it is raised");
                let moved = tokio::time::timeout(Duration::from_millis(100), watched.changed());
                assert!(moved.await.is_err(), "SIGUSR1 moved the phase");
                let asked = asked.take();
                assert!(
                    matches!(*asked, [Job::Reload(None), Job::ReopenLog]),
                    "{asked:?}"
                );
                for (signal, expected) in [
                    (Signal::SIGTERM, Phase::Drain),
                    (Signal::SIGINT, Phase::Stop),
                    (Signal::SIGTERM, Phase::Stop),
                ] {
                    raise(signal).expect("it is raised");
                    watched.changed().await.expect("the sender lives");
                    assert_eq!(*watched.borrow_and_update(), expected);
                }
            };
            tokio::select! {
                () = signals.drive(&phase, |job| asked.borrow_mut().push(job)) => panic!("it never ends by itself"),
                () = test => {}
            }
        });
    }

    #[test]
    fn a_closed_pipe_is_an_error_not_a_signal() {
        let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = u64::from_str_radix(ignored.expect("a mask").trim(), 16).expect("hex");
        assert_ne!(ignored & 1 << (Signal::SIGPIPE as u32 - 1), 0);
    }
}

//! The thread that reloads.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;

use tokio::sync::oneshot;

use super::reloader::Reloader;
use super::watch::LOOK_EVERY;
use crate::observe::admin::{Answer, Reloaded};

/// What the thread is asked for.
#[derive(Debug)]
pub enum Job {
    /// Read the configuration anew. Whoever waits for the outcome gets it.
    Reload(Option<oneshot::Sender<Result<Answer, String>>>),
    /// Open the file of the access log anew: the one written to has been renamed.
    ReopenLog,
    /// Show clients what authorities have said since.
    Restaple,
}

/// Starts the thread; it ends with the process.
pub(in crate::server) fn start(mut reloader: Reloader, jobs: Receiver<Job>) -> io::Result<()> {
    let work = move || {
        loop {
            match jobs.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => reloader.renew(),
                Err(RecvTimeoutError::Disconnected) => return,
                Ok(Job::Reload(waiting)) => {
                    let outcome = reloader.reload();
                    report(&outcome);
                    if let Some(waiting) = waiting {
                        // A client that left has read the log instead.
                        let _ = waiting.send(Ok(Answer::Reloaded(outcome)));
                    }
                }
                Ok(Job::Restaple) => reloader.restaple(),
                Ok(Job::ReopenLog) => match reloader.reopen_log() {
                    Ok(()) => tracing::info!("access log opened anew"),
                    Err(error) => tracing::error!(%error, "the access log stays as it is"),
                },
            }
        }
    };
    thread::Builder::new()
        .name("reload".into())
        .spawn(work)
        .map(drop)
}

fn report(outcome: &Reloaded) {
    let Reloaded { errors, warnings } = outcome;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    for error in errors {
        tracing::error!("{error}");
    }
    match errors.len() {
        0 => tracing::info!("reloaded"),
        errors => tracing::error!(errors, "not reloaded: everything stays as it was"),
    }
}

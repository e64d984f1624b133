//! Another configuration for a process that goes on serving.
//!
//! A thread of its own does what takes time: it reads and checks the file with everything that it
//! names, and binds what is newly listened on. Only when all of that has succeeded does anything
//! change: every worker takes over the new snapshot between two turns of its loop, so that no
//! request sees half of it, and the control thread passes the settings on to the kernel program. A
//! request in flight keeps the snapshot it began with, and no connection is closed.

mod changes;
mod reloader;
mod renew;
mod thread;
mod watch;

pub use thread::Job;

pub(super) use reloader::Reloader;
pub(super) use thread::start;
pub(super) use watch::Watch;

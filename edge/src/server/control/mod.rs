//! The control thread: everything slow, on one thread away from the workers.
//!
//! It owns the kernel program once that is attached: bans from workers and from the admin socket,
//! the sweep of expired ones and the counters on the metrics page all pass through one loop, so
//! nothing about the program is ever locked. It also listens to signals. If a part of it cannot
//! work (no kernel program, no descriptors left), it says so in the log and the rest goes on; the
//! workers never wait for it.

mod answers;
mod bans;
mod controller;
mod guard;
mod known;
mod memory;
mod plane;
mod protected;
mod reports;
#[cfg(test)]
mod testing;
mod thread;

pub use bans::{BanRequest, BanSender};
pub use controller::Configured;
pub use guard::{Counts, Guard, GuardError, GuardLink};
pub use known::KnownSender;
pub use thread::{Control, ControlError, ControlHandle, ControlParts};

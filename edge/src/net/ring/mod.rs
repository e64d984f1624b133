//! The ring of a worker: where its operations complete, its alarms go off, and it sleeps.
//!
//! `tokio` and `tokio_uring` wait for readiness with epoll, the ring's own included: what arrives
//! ends one `epoll_wait`, an `io_uring_enter` and a second `epoll_wait` follow. Here a turn of the
//! worker runs every task that is ready and then calls `io_uring_enter` once, which hands over what
//! they have begun, posts what has completed, and sleeps if that is nothing.

mod alarm;
mod alarms;
mod bell;
mod driver;
mod gather;
mod operation;
mod turns;

#[cfg(test)]
mod tests;

pub(super) use alarm::Alarm;
pub(super) use driver::{builder, completes_at_once, hurry};
pub(super) use operation::{Operation, Work};
pub(super) use turns::run;

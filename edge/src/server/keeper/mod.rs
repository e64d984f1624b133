//! The keeper: a small process that keeps the few rights a reload needs.
//!
//! The process that reads from the network gives up every privilege for good (`privileges`). What a
//! later reload needs of them stays here: read a key that only root may read, bind port 443, open
//! the log in a directory of root's. The keeper is started before any other thread or privileged
//! step, and dies with its parent. It holds no connection, no key and no configuration; what it can
//! be asked for is fixed (`Request`): it reads the configuration at the path it was started with,
//! opens and binds what *that* names, and has packets dealt to the sockets. Whoever takes over the serving process can have what that
//! process was given anyway, and no other file.
//!
//! It is the same program started anew (`edge keeper`), rather than a fork: nothing of its parent's
//! memory is in it, and what it keeps is counted in one place (`rights`).

mod client;
mod handed;
mod protocol;
mod rights;
mod serve;

pub use client::{Keeper, KeeperError};
pub(super) use handed::{Fingerprint, Handed};
pub use serve::serve;

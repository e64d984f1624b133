//! Sockets in another network namespace: the thread goes there, makes them, and comes back.

use std::fs::File;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns};

/// Back at home when dropped.
pub(crate) struct Away(File);

/// Takes this thread into a namespace of `ip netns`; sockets made from now on belong to it.
pub(crate) fn enter(name: &str) -> Result<Away> {
    let home = File::open("/proc/thread-self/ns/net")?;
    let path = format!("/run/netns/{name}");
    let there = File::open(&path).with_context(|| format!("cannot open {path}"))?;
    setns(there, CloneFlags::CLONE_NEWNET)?;
    Ok(Away(home))
}

impl Drop for Away {
    fn drop(&mut self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).expect("one may go back where one came from");
    }
}

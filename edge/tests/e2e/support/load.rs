//! Which tests may share the machine: the measuring and flooding ones run alone.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// Whether the long versions are wanted (`cargo xtask test --soak`).
pub(crate) fn is_soak() -> bool {
    std::env::var_os("EDGE_SOAK").is_some()
}

/// For tests that need little of the processors.
pub(crate) fn light() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// For tests that keep a processor busy, or whose numbers would be spoilt by others.
pub(crate) fn heavy() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

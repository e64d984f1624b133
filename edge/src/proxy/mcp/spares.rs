//! What requests that have ended held, for the requests to come.

use std::cell::RefCell;

use crate::mcp::{BodyScan, Subject};

/// More than a worker has under way between two turns is not kept.
const SPARE_MAX: usize = 64;

/// Those of one worker: a request allocates nothing for them, and nothing so large is moved.
#[derive(Default)]
pub(in crate::proxy) struct Spares<T>(RefCell<Vec<Box<T>>>);

/// What can be used again.
pub(in crate::proxy) trait Spare: Default {
    /// Forgets what it knows.
    fn restart(&mut self);
}

impl<T: Spare> Spares<T> {
    /// One that knows nothing.
    pub(super) fn take(&self) -> Box<T> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes one back.
    pub(in crate::proxy) fn keep(&self, mut one: Box<T>) {
        let mut spare = self.0.borrow_mut();
        if spare.len() < SPARE_MAX {
            one.restart();
            spare.push(one);
        }
    }
}

impl Spare for BodyScan {
    fn restart(&mut self) {
        self.restart();
    }
}

impl Spare for Subject {
    fn restart(&mut self) {
        self.restart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_knows_nothing_of_the_body_before() {
        let scans = Spares::<BodyScan>::default();
        for body in [
            &br#"{"id":7,"method":"tools/call","params":{"name":"add"#[..],
            br#"{"result":{},"Method":1"#,
            br#"[{"id":1}]"#,
            br#"{"id":"\ud83d"#,
            b"nonsense",
        ] {
            let mut scan = scans.take();
            scan.feed(body);
            scans.keep(scan);
            let mut scan = scans.take();
            assert_eq!(
                (scan.method(), scan.id(), scan.is_answer()),
                (None, None, false)
            );
            scan.feed(br#"{"method":"ping","id":1}"#);
            assert_eq!(scan.method(), Some(&b"ping"[..]));
            assert!(!scan.is_ambiguous());
            assert_eq!(scan.scanned(), crate::mcp::Scanned::Whole);
            scans.keep(scan);
        }
        assert_eq!(scans.0.borrow().len(), 1);
    }
}

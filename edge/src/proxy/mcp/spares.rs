//! Scans of bodies that have ended, for the bodies to come.

use std::cell::RefCell;

use crate::mcp::BodyScan;

/// More than a worker has under way between two turns is not kept.
const SPARE_MAX: usize = 64;

/// Those of one worker: a call that has to look into its body allocates nothing for it.
#[expect(
    clippy::vec_box,
    reason = "boxes are what is lent: nothing as large as a scan is moved"
)]
#[derive(Default)]
pub(in crate::proxy) struct Scans(RefCell<Vec<Box<BodyScan>>>);

impl Scans {
    /// One at the start of a body.
    pub(super) fn take(&self) -> Box<BodyScan> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes one back, if there was one.
    pub(super) fn keep(&self, scan: Option<Box<BodyScan>>) {
        let mut spare = self.0.borrow_mut();
        if let Some(mut scan) = scan.filter(|_| spare.len() < SPARE_MAX) {
            scan.restart();
            spare.push(scan);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_knows_nothing_of_the_body_before() {
        let scans = Scans::default();
        for body in [
            &br#"{"id":7,"method":"tools/call","params":{"name":"add"#[..],
            br#"{"result":{},"Method":1"#,
            br#"[{"id":1}]"#,
            br#"{"id":"\ud83d"#,
            b"nonsense",
        ] {
            let mut scan = scans.take();
            scan.feed(body);
            scans.keep(Some(scan));
            let mut scan = scans.take();
            assert_eq!(
                (scan.method(), scan.id(), scan.is_answer()),
                (None, None, false)
            );
            scan.feed(br#"{"method":"ping","id":1}"#);
            assert_eq!(scan.method(), Some(&b"ping"[..]));
            assert!(!scan.is_ambiguous());
            assert_eq!(scan.scanned(), crate::mcp::Scanned::Whole);
            scans.keep(Some(scan));
        }
        assert_eq!(scans.0.borrow().len(), 1);
    }
}

//! The call of a connection that has one under way at a time.

use anyhow::{Result, bail, ensure};

use crate::load::answer::RECEIVE_BYTES;
use crate::load::call;
use crate::origin::NONCE_BYTES;

/// The call, and what has come of its answer.
#[derive(Default)]
pub(super) struct Single {
    nonce: [u8; NONCE_BYTES],
    /// The beginning of an answer that has not come whole.
    partial: Vec<u8>,
    /// When the call under way was to be made.
    since_ns: Option<u64>,
}

impl Single {
    /// A call begins; returns its id.
    pub(super) fn begin(&mut self, serial: u64, since_ns: u64) -> &[u8; NONCE_BYTES] {
        self.nonce = call::nonce(serial);
        self.since_ns = Some(since_ns);
        &self.nonce
    }

    /// Takes what has come; `check` says whether that is the whole answer to the call with an id.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        done: &mut Vec<u64>,
        check: impl FnOnce(&[u8], &[u8; NONCE_BYTES]) -> Result<bool>,
    ) -> Result<()> {
        let Some(since_ns) = self.since_ns else {
            bail!("{} bytes that nobody asked for", bytes.len());
        };
        // Most answers come in one piece, which is not copied.
        let answer = match self.partial.is_empty() {
            true => bytes,
            false => {
                self.partial.extend_from_slice(bytes);
                &self.partial
            }
        };
        ensure!(
            answer.len() <= RECEIVE_BYTES,
            "an answer larger than {RECEIVE_BYTES} bytes"
        );
        if check(answer, &self.nonce)? {
            self.since_ns = None;
            self.partial.clear();
            done.push(since_ns);
        } else if self.partial.is_empty() {
            self.partial.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Calls that wait for their answers.
    pub(super) fn under_way(&self) -> usize {
        usize::from(self.since_ns.is_some())
    }
}

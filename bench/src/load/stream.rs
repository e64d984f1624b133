//! A connection that holds an event stream open.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::ClientConfig;

use super::answer::check_events;
use super::caller::authority;
use super::tls::Tls;

/// An open event stream.
pub(super) struct Stream {
    tls: Tls,
    /// What has come of the head, then of an event that is not whole.
    partial: Vec<u8>,
    open: bool,
    /// The number of the next event.
    next: u64,
}

impl Stream {
    /// Connects and asks for a stream that is silent after its first event.
    pub(super) fn open(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self> {
        let mut tls = Tls::start(address, config)?;
        let request = format!(
            "GET /sse?interval_ms=0 HTTP/1.1\r\n\
             host: {}\r\n\
             accept: text/event-stream\r\n\r\n",
            authority(address)
        );
        tls.queue(request.as_bytes())?;
        tls.flush()?;
        Ok(Self {
            tls,
            partial: Vec::new(),
            open: false,
            next: 0,
        })
    }

    /// Sends what the handshake wants sent.
    pub(super) fn flush(&mut self) -> Result<()> {
        Ok(self.tls.flush()?)
    }

    /// Whether the first event has come.
    pub(super) fn has_begun(&self) -> bool {
        self.next > 0
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.tls.socket()
    }

    /// Reads what has come, with `wire` as room for it; hands the time at which each event was sent to `seen`, in microseconds.
    /// Comments do not count, and events have to come in order, each once.
    pub(super) fn ready(&mut self, wire: &mut [u8], mut seen: impl FnMut(u64)) -> Result<()> {
        let partial = &mut self.partial;
        self.tls.receive(wire, |plain| {
            partial.extend_from_slice(plain);
            Ok(())
        })?;
        let mut from = 0;
        if !self.open {
            let Some(head_bytes) = check_events(&self.partial)? else {
                return Ok(());
            };
            from = head_bytes;
            self.open = true;
        }
        // Chunk sizes are lines of their own, and say nothing of interest.
        while let Some(end) = self.partial[from..].iter().position(|&byte| byte == b'\n') {
            let line = &self.partial[from..from + end];
            from += end + 1;
            if let Some(event) = line.strip_prefix(b"data: ") {
                let (seq, sent_us) = numbers(event).context("an event of another shape")?;
                ensure!(seq == self.next, "event {seq} instead of {}", self.next);
                self.next += 1;
                seen(sent_us);
            }
        }
        // Thousands of streams keep nothing between events.
        match from == self.partial.len() {
            true => self.partial = Vec::new(),
            false => drop(self.partial.drain(..from)),
        }
        Ok(())
    }
}

/// Of `{"seq":N,"sent_us":N}`.
fn numbers(event: &[u8]) -> Option<(u64, u64)> {
    let text = str::from_utf8(event).ok()?.trim_end();
    let (seq, sent_us) = text
        .strip_prefix(r#"{"seq":"#)?
        .strip_suffix('}')?
        .split_once(r#","sent_us":"#)?;
    Some((seq.parse().ok()?, sent_us.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_its_number_and_its_time() {
        assert_eq!(numbers(br#"{"seq":3,"sent_us":17}"#), Some((3, 17)));
        assert_eq!(numbers(br#"{"seq":3}"#), None);
    }
}

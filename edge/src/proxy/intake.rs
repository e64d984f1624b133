//! The client's side of an exchange as an upstream gets it: the request body bounded, and where the
//! route wants that read whole before a server is bothered with it.

use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::exchange::{ClientError, Downstream};
use super::pace::Pace;
use crate::clock::monotonic_ns;
use crate::message::{Fields, Frame, ResponseHead};
use crate::net::{SpoolFile, Timer};

/// What is kept in memory of a body that is read whole, and the size of reads beyond it.
const MEMORY_BYTES: usize = 64 * 1024;

/// A client whose request body is bounded, and perhaps read already.
pub(super) struct Intake<'a, D> {
    client: &'a mut D,
    /// How many more bytes of body may come.
    left: u64,
    spool: Option<Box<Spool>>,
}

/// A body that was read whole: what fits in memory, the rest in a file.
#[derive(Default)]
struct Spool {
    memory: BytesMut,
    file: Option<SpoolFile>,
    /// Bytes of the file handed on.
    read: u64,
    reading: Option<Reading>,
    trailers: Option<Fields>,
}

type Reading = Pin<Box<dyn Future<Output = io::Result<BytesMut>>>>;

impl<'a, D: Downstream> Intake<'a, D> {
    /// A body of at most `max_bytes`, passed on as it comes.
    /// `read_ahead` bytes of it have been read already.
    pub(super) fn new(client: &'a mut D, max_bytes: Option<u64>, read_ahead: u64) -> Intake<'a, D> {
        Intake {
            client,
            left: max_bytes.map_or(u64::MAX, |max| max.saturating_sub(read_ahead)),
            spool: None,
        }
    }

    /// Reads the body to its end: how many bytes it has, and whether trailers followed. The client
    /// has `timeout` for each piece, and must keep the pace.
    pub(super) async fn fill(
        &mut self,
        timeout: Duration,
        mut pace: Pace,
    ) -> Result<(u64, bool), ClientError> {
        let mut spool = Box::<Spool>::default();
        let timeout_ns = timeout.as_nanos() as u64;
        let mut bytes = 0;
        loop {
            let idle_ns = monotonic_ns().saturating_add(timeout_ns);
            let frame = poll_fn(|cx| {
                loop {
                    if let Poll::Ready(frame) = self.poll_bounded(cx) {
                        return Poll::Ready(frame);
                    }
                    let deadline_ns = idle_ns.min(pace.due_ns());
                    ready!(self.client.timer().poll(cx, deadline_ns));
                    let now_ns = monotonic_ns();
                    if now_ns >= idle_ns || !pace.is_kept(now_ns, bytes) {
                        return Poll::Ready(Err(ClientError::BodyTimeout));
                    }
                }
            });
            match frame.await? {
                Some(Frame::Data(data)) => {
                    bytes += data.len() as u64;
                    if let Err(error) = spool.push(&data).await {
                        tracing::error!(%error, "a request body cannot be stored");
                        return Err(ClientError::Storage);
                    }
                    let now_ns = monotonic_ns();
                    if !pace.is_kept(now_ns, bytes) {
                        return Err(ClientError::BodyTimeout);
                    }
                }
                Some(Frame::Trailers(fields)) => {
                    spool.trailers = Some(fields);
                    break;
                }
                None => break,
            }
        }
        let has_trailers = spool.trailers.is_some();
        self.spool = Some(spool);
        Ok((bytes, has_trailers))
    }

    fn poll_bounded(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, ClientError>> {
        let frame = ready!(self.client.poll_body(cx))?;
        if let Some(Frame::Data(data)) = &frame {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Err(ClientError::TooLarge)),
            }
        }
        Poll::Ready(Ok(frame))
    }
}

impl Spool {
    /// Memory is the beginning of the body while there is no file, and then what the file lacks.
    async fn push(&mut self, data: &Bytes) -> io::Result<()> {
        self.memory.extend_from_slice(data);
        if self.memory.len() <= MEMORY_BYTES {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            file => file.insert(SpoolFile::create()?),
        };
        file.append(std::mem::take(&mut self.memory)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>> {
        if let Some(file) = self.file.as_ref().filter(|file| self.read < file.len()) {
            let start = || Box::pin(file.read(self.read, MEMORY_BYTES));
            let reading = self.reading.get_or_insert_with(|| start());
            let data = ready!(reading.as_mut().poll(cx));
            self.reading = None;
            let data = data?;
            self.read += data.len() as u64;
            return Poll::Ready(Ok(Some(Frame::Data(data.freeze()))));
        }
        self.file = None;
        if !self.memory.is_empty() {
            let data = std::mem::take(&mut self.memory).freeze();
            return Poll::Ready(Ok(Some(Frame::Data(data))));
        }
        Poll::Ready(Ok(self.trailers.take().map(Frame::Trailers)))
    }
}

impl<D: Downstream> Downstream for Intake<'_, D> {
    const AHEAD_BYTES: usize = D::AHEAD_BYTES;

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, ClientError>> {
        match &mut self.spool {
            None => self.poll_bounded(cx),
            Some(spool) => spool.poll_next(cx).map_err(|error| {
                tracing::error!(%error, "a stored request body cannot be read");
                ClientError::Storage
            }),
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.client.poll_gone(cx)
    }

    fn drop_body(&mut self) {
        self.client.drop_body();
    }

    fn send_interim(&mut self, head: &ResponseHead) {
        self.client.send_interim(head);
    }

    fn send_head(&mut self, head: &ResponseHead) {
        self.client.send_head(head);
    }

    fn send_switch(&mut self, head: &ResponseHead) {
        self.left = u64::MAX; // What follows is no body.
        self.client.send_switch(head);
    }

    fn send_data(&mut self, data: Bytes) {
        self.client.send_data(data);
    }

    fn send_end(&mut self, trailers: Option<&Fields>) {
        self.client.send_end(trailers);
    }

    fn abort(&mut self) {
        self.client.abort();
    }

    fn queued(&self) -> usize {
        self.client.queued()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        self.client.poll_flush(cx)
    }

    fn timer(&mut self) -> &mut Timer {
        self.client.timer()
    }
}

/// Whether a request asks to be passed on as it comes (`Incremental: ?1`, RFC 10036): who waited for
/// its end would keep its client waiting for ever.
pub(super) fn is_incremental(fields: &Fields) -> bool {
    let asks = |value: &[u8]| value.trim_ascii().starts_with(b"?1");
    fields.values_of("incremental").any(asks)
}

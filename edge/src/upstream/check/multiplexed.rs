//! A check over HTTP/2, on a thread that may wait.

use std::future::{Future as _, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http::{Request, StatusCode, Version};
use socket2::Socket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{CheckError, Deadline, late};

/// Sends the request over `stream` and waits for the head of the answer. `socket` is the same
/// connection once more: what is waited on.
pub(super) fn exchange<S: Read + Write + Unpin>(
    stream: S,
    socket: &Socket,
    request: Request<()>,
    deadline: &Deadline,
) -> Result<StatusCode, CheckError> {
    socket.set_nonblocking(true)?;
    let mut asking = pin!(ask(stream, request));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(outcome) = asking.as_mut().poll(&mut context) {
            return outcome;
        }
        // All that was to be sent has been: it fits into the socket's buffer many times.
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(deadline.left()?))?;
        socket.peek(&mut [MaybeUninit::uninit()]).map_err(late)?;
        socket.set_nonblocking(true)?;
    }
}

async fn ask<S: Read + Write + Unpin>(
    stream: S,
    mut request: Request<()>,
) -> Result<StatusCode, CheckError> {
    *request.version_mut() = Version::HTTP_2;
    let (mut requests, connection) = h2::client::handshake(Ready(stream)).await.map_err(broken)?;
    let (answer, _) = requests.send_request(request, true).map_err(broken)?;
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    poll_fn(|cx| {
        let ended = connection.as_mut().poll(cx);
        match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => {
                Poll::Ready(answer.map(|answer| answer.status()).map_err(broken))
            }
            Poll::Pending if ended.is_ready() => Poll::Ready(Err(CheckError::Malformed)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn broken(error: h2::Error) -> CheckError {
    match error.is_io() {
        true => CheckError::Io(error.into_io().unwrap_or(ErrorKind::BrokenPipe.into())),
        false => CheckError::Malformed,
    }
}

/// A stream that does not block as what `h2` wants; who polls knows when to poll again.
struct Ready<S>(S);

fn poll<T>(outcome: io::Result<T>) -> Poll<io::Result<T>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        outcome => Poll::Ready(outcome),
    }
}

impl<S: Read + Unpin> AsyncRead for Ready<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = self.0.read(buf.initialize_unfilled());
        poll(outcome).map_ok(|n| buf.advance(n))
    }
}

impl<S: Write + Unpin> AsyncWrite for Ready<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll(self.0.write(buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Dropped when the answer has come.
        Poll::Ready(Ok(()))
    }
}

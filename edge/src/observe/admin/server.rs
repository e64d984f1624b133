//! The server side: bounded lines, bounded connections, a deadline for everything.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::protocol::{Ban, Banned, Reloaded, Reply, Request, Status, Switched, Unbanned};
use super::shield::{Changed, Entry, Imported, Top};
use super::socket::Socket;

/// Bytes of a request line; the longest is a thousand networks.
const LINE_MAX: u64 = 128 * 1024;
/// Connections served at once; others wait in the listener's queue.
const CONNECTIONS_MAX: usize = 16;
/// For a request line to arrive, for it to be answered, and for the reply to be taken.
const DEADLINE: Duration = Duration::from_secs(10);
/// Pause after a failed accept, which usually means that descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A well-formed request on its way to whoever can answer it.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// The account that asks, if the kernel knows it.
    pub uid: Option<u32>,
    /// Where the answer goes; dropping it answers that the edge is shutting down.
    pub answer: oneshot::Sender<Result<Answer, String>>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To [`Request::Ban`].
    Banned(Banned),
    /// To [`Request::Unban`].
    Unbanned(Unbanned),
    /// To [`Request::Bans`].
    Bans(Vec<Ban>),
    /// To [`Request::Import`].
    Imported(Imported),
    /// To [`Request::ListAdd`] and [`Request::ListDel`].
    Changed(Changed),
    /// To [`Request::List`].
    List(Vec<Entry>),
    /// To [`Request::Top`].
    Top(Top),
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Maintenance`].
    Switched(Switched),
    /// To [`Request::Reload`].
    Reloaded(Reloaded),
}

/// Serves the socket until the returned future is dropped, then removes its file.
///
/// Must be polled inside a tokio runtime; fails only if that has no I/O driver.
pub async fn serve(socket: Socket, calls: mpsc::Sender<Call>) -> io::Result<()> {
    let (listener, _file) = socket.into_parts();
    let listener = UnixListener::from_std(listener)?;
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Dropped with this future, and the connections with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let permit = Arc::clone(&free).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let calls = calls.clone();
                connections.spawn(async move {
                    // A client that went away or fell silent is its own problem.
                    let _ = connection(stream, &calls).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the admin socket cannot accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(mut stream: UnixStream, calls: &mpsc::Sender<Call>) -> io::Result<()> {
    let uid = stream.peer_cred().ok().map(|peer| peer.uid());
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    loop {
        let line = timeout(DEADLINE, read_line(&mut reader)).await??;
        let reply = match &line {
            Line::End => return Ok(()),
            Line::TooLong => Reply::Error(format!("bad request: longer than {LINE_MAX} bytes")),
            Line::Whole(line) => match timeout(DEADLINE, answer(line, uid, calls)).await? {
                Ok(answer) => Reply::Ok(answer),
                Err(complaint) => Reply::Error(complaint),
            },
        };
        let mut text = serde_json::to_vec(&reply).map_err(io::Error::other)?;
        text.push(b'\n');
        timeout(DEADLINE, writer.write_all(&text)).await??;
        if matches!(line, Line::TooLong) {
            return Ok(());
        }
    }
}

enum Line {
    /// Without its newline.
    Whole(Vec<u8>),
    TooLong,
    End,
}

async fn read_line(reader: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Line> {
    let mut line = Vec::new();
    // One byte more than allowed, to tell a full line from one that goes on.
    reader
        .take(LINE_MAX + 1)
        .read_until(b'\n', &mut line)
        .await?;
    Ok(match line.last() {
        None => Line::End,
        Some(b'\n') => {
            line.pop();
            Line::Whole(line)
        }
        Some(_) if line.len() as u64 > LINE_MAX => Line::TooLong,
        // The last line may lack its newline.
        Some(_) => Line::Whole(line),
    })
}

async fn answer(
    line: &[u8],
    uid: Option<u32>,
    calls: &mpsc::Sender<Call>,
) -> Result<Answer, String> {
    const SHUTTING_DOWN: &str = "edge is shutting down";
    let (answer, answered) = oneshot::channel();
    let call = Call {
        request: Request::parse(line)?,
        uid,
        answer,
    };
    calls.send(call).await.map_err(|_| SHUTTING_DOWN)?;
    answered.await.map_err(|_| SHUTTING_DOWN)?
}

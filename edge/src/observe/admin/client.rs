//! The client side, for commands: one request, one reply, blocking.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::protocol::{Reply, Request};

/// For each read and write; the server answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a reply; a full ban table of a million has about two thirds of it.
const REPLY_MAX: u64 = 256 * 1024 * 1024;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens on the socket.
    #[error("no edge is running: nobody answers on {}", path.display())]
    NotRunning {
        /// The path tried.
        path: PathBuf,
    },
    /// This account may not talk to it.
    #[error("not permitted to use {}: run as root or as a member of its group", path.display())]
    NotPermitted {
        /// The path tried.
        path: PathBuf,
    },
    /// The connection broke, timed out, or the reply was not understood.
    #[error("no answer from {}: {source}", path.display())]
    Io {
        /// The path tried.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The request was refused.
    #[error("{0}")]
    Refused(String),
}

/// Asks the edge that listens at `path`; `T` is what [`Request`] says the answer is.
pub fn call<T: DeserializeOwned>(path: &Path, request: &Request) -> Result<T, CallError> {
    match exchange(path, request) {
        Ok(Reply::Ok(answer)) => Ok(answer),
        Ok(Reply::Error(complaint)) => Err(CallError::Refused(complaint)),
        Err(source) => {
            let path = path.to_owned();
            Err(match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    CallError::NotRunning { path }
                }
                io::ErrorKind::PermissionDenied => CallError::NotPermitted { path },
                _ => CallError::Io { path, source },
            })
        }
    }
}

fn exchange<T: DeserializeOwned>(path: &Path, request: &Request) -> io::Result<Reply<T>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reply = Vec::new();
    BufReader::new(stream)
        .take(REPLY_MAX)
        .read_until(b'\n', &mut reply)?;
    Ok(serde_json::from_slice(&reply)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::admin::{
        Answer, Ban, Banned, Call, Care, ShieldStatus, Socket, Status, Unbanned, serve,
    };
    use std::net::Shutdown;
    use tokio::sync::mpsc;

    /// Serves a socket on a thread; every call is answered by `respond`.
    struct Server {
        dir: tempfile::TempDir,
        stop: Option<tokio::sync::oneshot::Sender<()>>,
        thread: Option<std::thread::JoinHandle<()>>,
    }

    impl Server {
        fn start(respond: impl Fn(&Call) -> Result<Answer, String> + Send + 'static) -> Server {
            let dir = tempfile::tempdir().expect("a directory");
            let socket = Socket::bind(&dir.path().join("admin.sock")).expect("it listens");
            let (stop, mut stopped) = tokio::sync::oneshot::channel();
            let run = async move {
                let (calls, mut called) = mpsc::channel::<Call>(1);
                let serving = serve(socket, calls);
                tokio::pin!(serving);
                loop {
                    tokio::select! {
                        ended = &mut serving => panic!("the server ended: {ended:?}"),
                        _ = &mut stopped => return,
                        call = called.recv() => {
                            let call = call.expect("the server lives");
                            let answer = respond(&call);
                            let _ = call.answer.send(answer);
                        }
                    }
                }
            };
            let thread = std::thread::spawn(|| {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime")
                    .block_on(run);
            });
            Server {
                dir,
                stop: Some(stop),
                thread: Some(thread),
            }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("admin.sock")
        }

        fn send(&self, text: &[u8]) -> String {
            let mut stream = UnixStream::connect(self.path()).expect("it listens");
            stream.write_all(text).expect("it takes the text");
            stream.shutdown(Shutdown::Write).expect("it is open");
            let mut replies = String::new();
            stream.read_to_string(&mut replies).expect("it answers");
            replies
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.stop.take().expect("dropped once").send(());
            let thread = self.thread.take().expect("dropped once");
            assert!(thread.join().is_ok(), "the server panicked");
            assert!(!self.path().exists(), "the socket stays behind");
        }
    }

    fn respond(call: &Call) -> Result<Answer, String> {
        assert_eq!(call.uid, Some(nix::unistd::getuid().as_raw()));
        match call.request.clone() {
            Request::Ban { addr, for_ms, .. } => Ok(Answer::Banned(banned(addr, for_ms))),
            Request::Unban { .. } => Err("the shield is off".into()),
            Request::Bans => Ok(Answer::Bans(bans())),
            Request::Status => Ok(Answer::Status(status())),
            _ => Err("not here".into()),
        }
    }

    fn banned(addr: std::net::IpAddr, for_ms: u64) -> Banned {
        Banned {
            addr,
            prefix: 64,
            for_ms,
            was_longer: false,
        }
    }

    fn bans() -> Vec<Ban> {
        let ban = |host: u32| Ban {
            addr: std::net::Ipv4Addr::from(host).into(),
            prefix: 32,
            remaining_ms: u64::MAX,
            origin: "admin".into(),
            reason: "scraper".into(),
            count: 1,
        };
        (0..50_000).map(ban).collect()
    }

    fn status() -> Status {
        Status {
            version: "0.1.0".into(),
            pid: 7,
            uptime_secs: 3,
            workers: 2,
            shield: vec![ShieldStatus {
                interface: "eth0".into(),
                mode: "native".into(),
                attached: true,
            }],
            pin: None,
            bans: 50_000,
            allow: 0,
            deny: 1,
        }
    }

    #[test]
    fn every_request_gets_its_answer() {
        let server = Server::start(respond);
        let addr = "2001:db8::7".parse().expect("an address");
        let ban = Request::Ban {
            addr,
            for_ms: 5,
            reason: None,
            care: Care::default(),
        };
        let banned: Banned = call(&server.path(), &ban).expect("an answer");
        assert_eq!(banned, self::banned(addr, 5));
        let refused = call::<Unbanned>(&server.path(), &Request::Unban { addr });
        assert!(matches!(refused, Err(CallError::Refused(why)) if why == "the shield is off"));
        let listed: Vec<Ban> = call(&server.path(), &Request::Bans).expect("an answer");
        assert_eq!(listed, bans());
        let told: Status = call(&server.path(), &Request::Status).expect("an answer");
        assert_eq!(told, status());
    }

    #[test]
    fn a_connection_may_ask_again_even_after_nonsense() {
        let server = Server::start(respond);
        let replies = server.send(b"nonsense\n\n{\"unban\":{\"addr\":\"::1\"}}\n\"status\"");
        let replies: Vec<&str> = replies.lines().collect();
        assert!(
            replies[0].starts_with("{\"error\":\"bad request: expected"),
            "{replies:?}"
        );
        assert!(
            replies[1].starts_with("{\"error\":\"bad request: EOF"),
            "{replies:?}"
        );
        assert_eq!(replies[2], "{\"error\":\"the shield is off\"}");
        assert!(
            replies[3].starts_with("{\"ok\":{\"version\":"),
            "{replies:?}"
        );
        assert_eq!(replies.len(), 4);
    }

    #[test]
    fn an_endless_line_is_refused_and_the_connection_closed() {
        let server = Server::start(respond);
        let replies = server.send(&[b' '; 128 * 1024 + 1]);
        assert_eq!(
            replies,
            "{\"error\":\"bad request: longer than 131072 bytes\"}\n"
        );
    }

    #[test]
    fn silent_clients_do_not_keep_others_out() {
        let server = Server::start(respond);
        let silent: Vec<_> = (0..15)
            .map(|_| UnixStream::connect(server.path()).expect("it listens"))
            .collect();
        let told: Status = call(&server.path(), &Request::Status).expect("an answer");
        assert_eq!(told, status());
        drop(silent);
    }

    #[test]
    fn nobody_there_is_said_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("admin.sock");
        let nobody = call::<Status>(&path, &Request::Status).expect_err("nobody is there");
        assert_eq!(
            nobody.to_string(),
            format!("no edge is running: nobody answers on {}", path.display())
        );
    }
}

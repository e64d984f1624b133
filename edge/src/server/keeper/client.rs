//! The serving process's side.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use super::handed::Handed;
use super::protocol::{Reply, Request};
use crate::kernel::{AttachMode, Attachment};
use crate::net::{packet_pair, recv_packet, send_packet};
use crate::server::error::explain;
use crate::server::steer::{Steering, complain};
use crate::server::update::{Endpoint, ListenSocket};

/// For one packet of the keeper's: a disk may have to wake up.
const PATIENCE_SECS: i64 = 10;

/// The keeper did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// It cannot be started.
    #[error("cannot start the process that keeps the rights to reload: {0}")]
    Start(#[source] io::Error),
    /// It is gone or does not answer.
    #[error("the process that keeps the rights to reload does not answer ({0}): restart edge")]
    Lost(#[source] io::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on {addr}: {}", explain(source))]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The keeper, as the serving process knows it; clones are the same one.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// `None` once it has failed to answer: what it says later would answer an earlier question.
    socket: Arc<Mutex<Option<OwnedFd>>>,
}

impl Keeper {
    /// Starts it. Do this first: it has the rights that this process has now.
    pub fn start(config: &Path) -> Result<Keeper, KeeperError> {
        let start = || {
            let (here, there) = packet_pair()?;
            setsockopt(
                &here,
                sockopt::ReceiveTimeout,
                &TimeVal::seconds(PATIENCE_SECS),
            )?;
            // The parent does not wait for it: it ends when the socket does, or with the parent. A
            // process group of its own keeps the terminal's signals away from it.
            Command::new("/proc/self/exe")
                .arg("keeper")
                .arg("--config")
                .arg(config)
                .stdin(Stdio::from(there))
                .stdout(Stdio::null())
                .process_group(0)
                .spawn()?;
            Ok(Keeper {
                socket: Arc::new(Mutex::new(Some(here))),
            })
        };
        start().map_err(KeeperError::Start)
    }

    /// The configuration and every file that it names.
    pub(in crate::server) fn files(&self) -> Result<Handed, KeeperError> {
        self.hand(&Request::Files)
    }

    /// The files that configurations have named so far, without a look at the configuration.
    pub(in crate::server) fn files_again(&self) -> Result<Handed, KeeperError> {
        self.hand(&Request::Again)
    }

    fn hand(&self, request: &Request) -> Result<Handed, KeeperError> {
        let mut handed = Handed::default();
        self.ask(request, |reply, passed| match (reply, passed) {
            (Reply::File(path), Some(fd)) => handed.add(path, Ok(File::from(fd))),
            (Reply::NoFile(path, errno), _) => handed.add(path, Err(errno)),
            _ => {}
        })?;
        Ok(handed)
    }

    /// Listening sockets for addresses that the configuration names, `each` for every one.
    pub(in crate::server) fn bind(
        &self,
        endpoints: Vec<Endpoint>,
        each: usize,
        own: Vec<Endpoint>,
        steering: &Steering,
    ) -> Result<Vec<ListenSocket>, KeeperError> {
        let request = Request::Bind {
            endpoints,
            each,
            own,
            steering: steering.clone(),
        };
        let mut sockets = Vec::new();
        let mut failed = None;
        self.ask(&request, |reply, passed| match (reply, passed) {
            (Reply::Socket(endpoint), Some(fd)) => sockets.push(ListenSocket::new(endpoint, fd)),
            (Reply::Unsteered(endpoint, why), _) => complain(endpoint, &why),
            (Reply::NoSocket(addr, errno), _) => {
                let source = io::Error::from_raw_os_error(errno);
                failed = Some(KeeperError::Bind { addr, source });
            }
            _ => {}
        })?;
        match failed {
            Some(error) => Err(error),
            None => Ok(sockets),
        }
    }

    /// The file of the access log, opened anew, and its path; `None` when the configuration names
    /// none.
    pub(in crate::server) fn log(&self) -> Result<Option<(PathBuf, File)>, KeeperError> {
        let mut opened = Ok(None);
        self.ask(&Request::Log, |reply, passed| match (reply, passed) {
            (Reply::File(path), Some(fd)) => opened = Ok(Some((path, File::from(fd)))),
            (Reply::NoFile(path, errno), _) => {
                let source = io::Error::from_raw_os_error(errno);
                opened = Err(KeeperError::Open { path, source });
            }
            _ => {}
        })?;
        opened
    }

    /// Attaches the kernel program to one more interface.
    pub(in crate::server) fn attach(
        &self,
        program: BorrowedFd<'_>,
        interface: &str,
    ) -> Result<Attachment, String> {
        let request = Request::Attach {
            interface: interface.to_owned(),
        };
        let mut attached = Err("the keeper said nothing".to_owned());
        let asked = self.ask_with(&request, Some(program), |reply, passed| {
            attached = match (reply, passed) {
                (Reply::Attached(mode), Some(link)) => AttachMode::from_name(&mode)
                    .ok_or_else(|| format!("unknown mode {mode}"))
                    .and_then(|mode| {
                        let handed = Attachment::handed(interface, mode, link);
                        handed.map_err(|error| error.to_string())
                    }),
                (Reply::NotAttached(why), _) => Err(why),
                _ => Err("the keeper said something else".to_owned()),
            };
        });
        asked.map_err(|error| error.to_string())?;
        attached
    }

    fn ask(
        &self,
        request: &Request,
        each: impl FnMut(Reply, Option<OwnedFd>),
    ) -> Result<(), KeeperError> {
        self.ask_with(request, None, each)
    }

    fn ask_with(
        &self,
        request: &Request,
        passed: Option<BorrowedFd<'_>>,
        mut each: impl FnMut(Reply, Option<OwnedFd>),
    ) -> Result<(), KeeperError> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = socket.as_ref().map(|socket| {
            send_packet(socket, &serde_json::to_vec(request)?, passed)?;
            loop {
                let Some((packet, passed)) = recv_packet(socket)? else {
                    return Err(io::Error::other("it has ended"));
                };
                match serde_json::from_slice(&packet)? {
                    Reply::End => return Ok(()),
                    reply => each(reply, passed),
                }
            }
        });
        let outcome = asked.unwrap_or_else(|| Err(io::Error::other("it failed before")));
        outcome.map_err(|error| {
            *socket = None;
            KeeperError::Lost(error)
        })
    }
}

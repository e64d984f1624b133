//! The keeper's side: one request after the other, until the parent is gone.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};

use super::protocol::{Reply, Request};
use super::rights;
use crate::config::{Config, LogTarget};
use crate::files::open_directory;
use crate::kernel;
use crate::net::{recv_packet, send_packet};
use crate::observe::access;
use crate::server::listen::bind;
use crate::server::steer::Steering;
use crate::server::update::{Endpoint, ListenSocket};

/// Files remembered: those of the configuration in force and of a few before it.
const NAMED_MAX: usize = 4096;
/// More workers than there can be.
const EACH_MAX: usize = 256;

/// Serves the requests of the parent, which holds the other end of standard input.
pub fn serve(config: &Path) -> io::Result<()> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    rights::reduce().map_err(io::Error::other)?;
    ignore_signals()?;
    // After that, for a change of rights clears it (prctl(2)).
    set_pdeathsig(Signal::SIGKILL)?;
    let mut named = BTreeSet::new();
    let parent = Parent { socket };
    while let Some((packet, passed)) = recv_packet(&parent.socket)? {
        match serde_json::from_slice(&packet)? {
            Request::Files => parent.hand_files(config, &mut named)?,
            Request::Again => named.iter().try_for_each(|path| parent.hand_file(path))?,
            Request::Bind {
                endpoints,
                each,
                own,
                steering,
            } => parent.hand_sockets(config, &endpoints, each, &own, &steering)?,
            Request::Log => parent.hand_log(config)?,
            Request::Attach { interface } => parent.attach(config, &interface, passed)?,
        }
        parent.send(&Reply::End, None)?;
    }
    Ok(())
}

/// Signals meant for the service reach every process of it (systemctl(1), `kill`).
fn ignore_signals() -> io::Result<()> {
    let signals = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
    ];
    let signals: SigSet = signals.into_iter().collect();
    Ok(signals.thread_block()?)
}

struct Parent {
    socket: OwnedFd,
}

impl Parent {
    /// A configuration with errors goes alone: the parent finds them itself.
    fn hand_files(&self, path: &Path, named: &mut BTreeSet<PathBuf>) -> io::Result<()> {
        self.hand_file(path)?;
        let Ok(config) = Config::load_unresolved(path) else {
            return Ok(());
        };
        let files = config.files();
        let watched = config.watched();
        if named.len() + watched.len() > NAMED_MAX {
            named.clear();
        }
        named.extend(watched.into_iter().map(Path::to_owned));
        files
            .into_iter()
            .try_for_each(|path| self.hand_file(path))?;
        let mut directories = config.directories().into_iter();
        directories.try_for_each(|path| self.hand(path, open_directory(path)))
    }

    fn hand_file(&self, path: &Path) -> io::Result<()> {
        // A pipe would hold up everything until somebody writes to it.
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path);
        self.hand(path, opened)
    }

    fn hand(&self, path: &Path, opened: io::Result<File>) -> io::Result<()> {
        let path = path.to_owned();
        match opened {
            Ok(file) => self.send(&Reply::File(path), Some(file.as_fd())),
            Err(error) => self.send(&Reply::NoFile(path, errno(&error)), None),
        }
    }

    /// Addresses that the configuration does not name are passed over.
    fn hand_sockets(
        &self,
        path: &Path,
        wanted: &[Endpoint],
        each: usize,
        own: &[Endpoint],
        steering: &Steering,
    ) -> io::Result<()> {
        let Ok(config) = Config::load_unresolved(path) else {
            return Ok(());
        };
        let named = Endpoint::all(&config.listen);
        for endpoint in named.into_iter().filter(|named| wanted.contains(named)) {
            match bind(endpoint, each.min(EACH_MAX), own) {
                Ok(sockets) => {
                    let all: Vec<&ListenSocket> = sockets.iter().collect();
                    let steered = steering.attach(&config.listen, endpoint.carrier, &all);
                    if let Err(error) = steered {
                        self.send(&Reply::Unsteered(endpoint, error.to_string()), None)?;
                    }
                    for socket in sockets {
                        self.send(&Reply::Socket(endpoint), Some(socket.as_fd()))?;
                    }
                }
                Err(error) => self.send(&Reply::NoSocket(endpoint.addr, errno(&error)), None)?,
            }
        }
        Ok(())
    }

    fn hand_log(&self, path: &Path) -> io::Result<()> {
        match Config::load_unresolved(path).map(|config| config.log.access) {
            Ok(LogTarget::File(path)) => self.hand(&path, access::open_file(&path)),
            _ => Ok(()),
        }
    }

    /// Attaches to interfaces that the configuration names, or to any if it names none: then that of
    /// the default route is meant.
    fn attach(&self, path: &Path, interface: &str, program: Option<OwnedFd>) -> io::Result<()> {
        let refused = |why: String| self.send(&Reply::NotAttached(why), None);
        let (Ok(config), Some(program)) = (Config::load_unresolved(path), program) else {
            return refused("the configuration cannot be read".to_owned());
        };
        let named = &config.shield.interfaces;
        if !named.is_empty() && !named.iter().any(|named| named == interface) {
            return refused(format!("the configuration does not name `{interface}`"));
        }
        match kernel::attach_late(program.as_fd(), interface, &config.shield) {
            Ok(attached) => {
                let mode = attached.mode().name().to_owned();
                self.send(&Reply::Attached(mode), Some(attached.link()))
            }
            Err(error) => refused(error.to_string()),
        }
    }

    fn send(&self, reply: &Reply, passed: Option<BorrowedFd<'_>>) -> io::Result<()> {
        send_packet(&self.socket, &serde_json::to_vec(reply)?, passed)
    }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

//! Starting and stopping the control thread.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{self as std_mpsc, SyncSender};
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot, watch};

use super::bans::{self, BanSender};
use super::controller::{Configured, Controller};
use super::guard::Guard;
use super::known::{self, KnownSender};
use super::plane::Plane;
use crate::config::Config;
use crate::limit::{Expelled, Spared};
use crate::observe::admin::{Socket, SocketError};
use crate::observe::metrics::Metrics;
use crate::observe::{Page, PageError};
use crate::proxy::Switches;
use crate::server::privileges::Account;
use crate::server::reload::Job;
use crate::server::signals::Phase;

/// Why there is no control thread.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The admin socket cannot be made.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The metrics page cannot be served.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The thread, its runtime or its signal handlers cannot be set up.
    #[error("cannot start the control thread: {0}")]
    Thread(#[source] io::Error),
}

/// The control plane's sockets, bound while the process has the privileges for that.
#[derive(Debug)]
pub struct Control {
    page: Option<Page>,
    socket: Socket,
}

/// What the control thread works with.
pub struct ControlParts {
    /// What the page shows.
    pub metrics: Metrics,
    /// The kernel program, if it is attached; the thread owns it, and drops it at its end.
    pub guard: Option<Box<dyn Guard>>,
    /// Where requests to reload go.
    pub jobs: SyncSender<Job>,
    /// Where workers find the addresses that commit no offences.
    pub spared: Spared,
    /// Where workers find whose connections to close.
    pub expelled: Expelled,
    /// What `edge maintenance` switches.
    pub switches: Switches,
    /// Access log lines lost ([`crate::observe::access::AccessWriter::dropped`]).
    pub access_log_dropped: Arc<AtomicU64>,
}

/// A running control thread; dropping this stops it.
#[derive(Debug)]
pub struct ControlHandle {
    bans: BanSender,
    known: mpsc::Sender<Vec<IpAddr>>,
    configurations: mpsc::Sender<Configured>,
    phase: watch::Receiver<Phase>,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Binds the metrics page and the admin socket.
    pub fn bind(config: &Config) -> Result<Control, ControlError> {
        Ok(Control {
            page: config.metrics.map(Page::bind).transpose()?,
            socket: Socket::bind(&config.admin)?,
        })
    }

    /// Gives the admin socket to the account that the process is about to become.
    pub fn give_to(&self, account: &Account) -> Result<(), ControlError> {
        Ok(self.socket.give_to(account.uid(), account.gid())?)
    }

    /// Starts the thread; after the privileges are gone, because a thread keeps its own.
    ///
    /// From then on signals move [`ControlHandle::phase`] instead of ending the process.
    pub fn start(
        self,
        config: &Config,
        parts: ControlParts,
    ) -> Result<ControlHandle, ControlError> {
        let (bans, ban_requests) = bans::queue();
        let (known, known_batches) = known::queue();
        let (phase, watched) = watch::channel(Phase::default());
        let (stop, stopped) = oneshot::channel();
        let (ready, readiness) = std_mpsc::sync_channel(1);
        let (configurations, configured) = mpsc::channel(1);
        let controller = Controller::new(
            config,
            parts.metrics,
            parts.guard,
            bans.clone(),
            parts.access_log_dropped,
            parts.jobs.clone(),
            (parts.spared, parts.expelled, parts.switches),
        );
        let thread = thread::Builder::new()
            .name("control".into())
            .spawn(move || {
                let plane = Plane {
                    page: self.page,
                    socket: self.socket,
                    controller,
                    ban_requests,
                    known: known_batches,
                    configured,
                    jobs: parts.jobs,
                    phase,
                };
                plane.run(&ready, stopped);
            })
            .map_err(ControlError::Thread)?;
        match readiness.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(ControlError::Thread(error)),
            Err(_) => return Err(ControlError::Thread(io::Error::other("it panicked"))),
        }
        Ok(ControlHandle {
            bans,
            known,
            configurations,
            phase: watched,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl ControlHandle {
    /// Where workers send bans to.
    pub fn bans(&self) -> BanSender {
        self.bans.clone()
    }

    /// Where a worker reports who has completed a handshake.
    pub fn known(&self) -> KnownSender {
        KnownSender::new(self.known.clone())
    }

    /// Where another configuration is sent to.
    pub fn configurations(&self) -> mpsc::Sender<Configured> {
        self.configurations.clone()
    }

    /// What signals have asked for so far.
    pub fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.clone()
    }

    /// Ends the thread: the page and the socket close, the socket's file goes, the kernel program
    /// is detached unless it is pinned. Call it last, so that packets are filtered until the workers have ended.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for ControlHandle {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ShieldMode;
    use crate::limit::Offence;
    use crate::observe::admin::{Ban, Banned, CallError, Care, Request, Status, Unbanned, call};
    use crate::observe::testing;
    use crate::server::control::BanRequest;
    use crate::server::control::testing::{Table, penalty};
    use std::io::{Read, Write};
    use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
    use std::sync::atomic::Ordering;

    struct Running {
        handle: ControlHandle,
        config: Config,
        page: SocketAddr,
        access_log_dropped: Arc<AtomicU64>,
        _dir: tempfile::TempDir,
    }

    fn start(guard: Option<Box<dyn Guard>>) -> Running {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = testing::config();
        config.admin = dir.path().join("run/admin.sock");
        config.metrics = Some(([127, 0, 0, 1], 0).into());
        config.shield.mode = ShieldMode::Auto;
        let control = Control::bind(&config).expect("everything is free");
        let page = control.page.as_ref().expect("it is configured");
        let page = page.local_addr().expect("it listens");
        let access_log_dropped = Arc::<AtomicU64>::default();
        let parts = ControlParts {
            metrics: Metrics::new(&config),
            guard,
            jobs: std_mpsc::sync_channel(1).0,
            spared: Spared::default(),
            expelled: Expelled::default(),
            switches: Switches::default(),
            access_log_dropped: Arc::clone(&access_log_dropped),
        };
        Running {
            handle: control.start(&config, parts).expect("it starts"),
            config,
            page,
            access_log_dropped,
            _dir: dir,
        }
    }

    impl Running {
        fn page(&self) -> String {
            let mut stream = TcpStream::connect(self.page).expect("it listens");
            let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
            stream.write_all(request).expect("it takes the request");
            let mut page = String::new();
            stream.read_to_string(&mut page).expect("it answers");
            page
        }

        fn call<T: serde::de::DeserializeOwned>(&self, request: &Request) -> Result<T, CallError> {
            call(&self.config.admin, request)
        }
    }

    fn addr(last: u8) -> IpAddr {
        [203, 0, 113, last].into()
    }

    #[test]
    fn bans_from_everywhere_end_in_one_table() {
        let running = start(Some(Box::<Table>::default()));
        running.handle.bans().send(BanRequest {
            addr: addr(1),
            offence: Offence::Refused,
            penalty: penalty(),
        });
        let ban = |last| Request::Ban {
            addr: addr(last),
            for_ms: 5_000,
            reason: Some("by hand".into()),
            care: Care::default(),
        };
        // The worker's ban is on its way until it is listed.
        let mut listed: Vec<Ban> = Vec::new();
        for _ in 0..1000 {
            listed = running.call(&Request::Bans).expect("an answer");
            if !listed.is_empty() {
                break;
            }
        }
        assert_eq!(listed[0].addr, addr(1));
        assert!((599_000..=600_000).contains(&listed[0].remaining_ms));
        let why = (&*listed[0].origin, &*listed[0].reason, listed[0].count);
        assert_eq!(why, ("limit", "refused", 1));
        let banned: Banned = running.call(&ban(2)).expect("there is room");
        assert_eq!(banned.for_ms, 5_000);
        let full = running
            .call::<Banned>(&ban(3))
            .expect_err("the table is full");
        assert_eq!(full.to_string(), "the ban table is full");
        for was_banned in [true, false] {
            let unban = Request::Unban { addr: addr(1) };
            let unbanned: Unbanned = running.call(&unban).expect("an answer");
            assert_eq!(unbanned, Unbanned { was_banned });
        }

        running.access_log_dropped.store(7, Ordering::Relaxed);
        let page = running.page();
        for line in [
            "edge_bans_total{origin=\"limit\"} 1",
            "edge_bans_total{origin=\"admin\"} 1",
            "edge_ban_requests_dropped_total 0",
            "edge_access_log_dropped_total 7",
            "edge_shield_attached{interface=\"eth0\",mode=\"native\"} 1",
            "edge_shield_packets_total{verdict=\"banned\",family=\"ipv4\"} 41",
        ] {
            assert!(
                page.lines().any(|found| found == line),
                "{line} is not in:\n{page}"
            );
        }

        let admin = running.config.admin.clone();
        running.handle.stop();
        assert!(!admin.exists());
    }

    #[test]
    fn without_a_kernel_program_it_says_so_and_goes_on() {
        let running = start(None);
        running.handle.bans().send(BanRequest {
            addr: addr(1),
            offence: Offence::Refused,
            penalty: penalty(),
        });
        let refused = running
            .call::<Vec<Ban>>(&Request::Bans)
            .expect_err("no table");
        assert!(
            refused.to_string().starts_with("the shield is off"),
            "{refused}"
        );
        let status: Status = running.call(&Request::Status).expect("an answer");
        assert_eq!(status.pid, std::process::id());
        assert_eq!(status.workers, 2);
        assert_eq!(status.shield[0].mode, "none");
        assert!(!status.shield[0].attached);
        let page = running.page();
        assert!(page.contains("\nedge_shield_attached{interface=\"none\",mode=\"none\"} 0\n"));
        assert!(!page.contains("edge_shield_packets_total"));
    }

    #[test]
    fn what_is_in_use_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let mut config = testing::config();
        config.admin = dir.path().join("admin.sock");
        config.metrics = Some(taken.local_addr().expect("it listens"));
        let error = Control::bind(&config).expect_err("the port is taken");
        let expected = format!(
            "cannot serve metrics on {}: ",
            taken.local_addr().expect("it listens")
        );
        assert!(error.to_string().starts_with(&expected), "{error}");
        config.metrics = None;
        let _first = Control::bind(&config).expect("the socket is free");
        let error = Control::bind(&config).expect_err("the first one answers");
        assert!(
            error.to_string().starts_with("another edge is running: "),
            "{error}"
        );
    }
}

//! A configuration on its way to the workers.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, mpsc};

use serde::{Deserialize, Serialize};

use crate::config::{Config, Listen};
use crate::proxy::Snapshot;
use crate::quic::{self, Keys};
use crate::tls;

/// What is served from now on: built and validated once, shared by all workers.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) snapshot: Arc<Snapshot>,
    /// `None` when no socket speaks TLS.
    pub(super) tls: Option<tls::Server>,
    /// `None` when no socket speaks QUIC.
    pub(super) quic: Option<Arc<quinn::ServerConfig>>,
}

impl Serving {
    /// What a snapshot with its certificates comes to.
    pub(super) fn new(
        snapshot: Snapshot,
        tls: Option<tls::Server>,
        keys: Option<&Keys>,
    ) -> Serving {
        let serving = Serving {
            snapshot: Arc::new(snapshot),
            tls: None,
            quic: None,
        };
        serving.with_tls(tls, keys)
    }

    /// The same with what a configuration says beside listening and TLS.
    pub(super) fn with_config(&self, config: Config) -> Serving {
        Serving {
            snapshot: Arc::new(Snapshot::new(config, Some(&self.snapshot))),
            tls: self.tls.clone(),
            quic: self.quic.clone(),
        }
    }

    /// The same with other certificates.
    pub(super) fn with_tls(&self, tls: Option<tls::Server>, keys: Option<&Keys>) -> Serving {
        let config = &self.snapshot.config;
        let open = tls.as_ref().map(|tls| &**tls.open());
        let wanted = open.zip(keys);
        let wanted = wanted.filter(|_| !config.listen.quic.is_empty());
        Serving {
            snapshot: Arc::clone(&self.snapshot),
            quic: wanted.and_then(|(open, keys)| quic::server_config(config, open, keys)),
            tls,
        }
    }
}

/// Tells a worker to serve something else. It closes the sockets that are no longer listened on.
pub(super) struct Update {
    pub(super) serving: Serving,
    /// Sockets for addresses that were not listened on before.
    pub(super) sockets: Vec<ListenSocket>,
    /// Told once the update is in force.
    pub(super) done: mpsc::Sender<()>,
}

/// What a socket listens for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Endpoint {
    pub(super) addr: SocketAddr,
    pub(super) carrier: Carrier,
}

/// What is spoken below HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Carrier {
    /// TLS over TCP.
    Tls,
    /// TCP alone.
    Plain,
    /// QUIC over UDP.
    Quic,
}

impl Endpoint {
    /// Everything that is listened on.
    pub(super) fn all(listen: &Listen) -> Vec<Endpoint> {
        let each = |addrs: &[SocketAddr], carrier| {
            let endpoint = |&addr| Endpoint { addr, carrier };
            addrs.iter().map(endpoint).collect::<Vec<_>>()
        };
        [
            each(&listen.https, Carrier::Tls),
            each(&listen.http, Carrier::Plain),
            each(&listen.quic, Carrier::Quic),
        ]
        .concat()
    }

    /// UDP and TCP have ports of their own.
    pub(super) fn is_udp(&self) -> bool {
        self.carrier == Carrier::Quic
    }
}

/// A worker's listening socket.
pub(super) struct ListenSocket {
    pub(super) endpoint: Endpoint,
    pub(super) socket: BoundSocket,
}

/// The socket itself.
pub(super) enum BoundSocket {
    Stream(TcpListener),
    Datagram(UdpSocket),
}

impl ListenSocket {
    /// Takes over a socket that was bound elsewhere.
    pub(super) fn new(endpoint: Endpoint, fd: OwnedFd) -> ListenSocket {
        let socket = match endpoint.is_udp() {
            true => BoundSocket::Datagram(fd.into()),
            false => BoundSocket::Stream(fd.into()),
        };
        ListenSocket { endpoint, socket }
    }
}

impl ListenSocket {
    /// The same socket once more.
    pub(super) fn try_clone(&self) -> io::Result<ListenSocket> {
        Ok(ListenSocket {
            endpoint: self.endpoint,
            socket: match &self.socket {
                BoundSocket::Stream(socket) => BoundSocket::Stream(socket.try_clone()?),
                BoundSocket::Datagram(socket) => BoundSocket::Datagram(socket.try_clone()?),
            },
        })
    }
}

impl AsFd for ListenSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            BoundSocket::Stream(socket) => socket.as_fd(),
            BoundSocket::Datagram(socket) => socket.as_fd(),
        }
    }
}

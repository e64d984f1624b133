//! A configuration on its way to the workers.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};

use rustls::ServerConfig;

use crate::config::Listen;
use crate::proxy::Snapshot;

/// What is served from now on: built and validated once, shared by all workers.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) snapshot: Arc<Snapshot>,
    /// `None` when no socket speaks TLS.
    pub(super) tls: Option<Arc<ServerConfig>>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    pub(super) addr: SocketAddr,
    pub(super) secure: bool,
}

impl Endpoint {
    /// Everything that is listened on.
    pub(super) fn all(listen: &Listen) -> Vec<Endpoint> {
        let each = |addrs: &[SocketAddr], secure| {
            let endpoint = |&addr| Endpoint { addr, secure };
            addrs.iter().map(endpoint).collect::<Vec<_>>()
        };
        [each(&listen.https, true), each(&listen.http, false)].concat()
    }
}

/// A worker's listening socket.
pub(super) struct ListenSocket {
    pub(super) endpoint: Endpoint,
    pub(super) socket: TcpListener,
}

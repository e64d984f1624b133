//! What connections are served with: one configuration for every host whose clients show no
//! certificate, and one for each kind of certificate that is asked for.

use std::sync::Arc;

use rustls::ServerConfig;

use super::resolve::Names;
use crate::config::ClientAuth;

/// The TLS configurations of all hosts; clones share them.
#[derive(Clone, Debug)]
pub struct Server(Arc<Configs>);

#[derive(Debug)]
struct Configs {
    open: Arc<ServerConfig>,
    /// Empty when no host asks for certificates; otherwise every host is in it.
    by_name: Names<Option<Arc<Guarded>>>,
    choosing: bool,
}

/// The configuration of hosts that ask clients for certificates.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) config: Arc<ServerConfig>,
    pub(super) settings: Arc<ClientAuth>,
}

impl Server {
    pub(super) fn new(
        open: Arc<ServerConfig>,
        by_name: Names<Option<Arc<Guarded>>>,
        choosing: bool,
    ) -> Server {
        Server(Arc::new(Configs {
            open,
            by_name,
            choosing,
        }))
    }

    /// The configuration that asks nobody for a certificate.
    pub fn open(&self) -> &Arc<ServerConfig> {
        &self.0.open
    }

    /// Whether the name asked for decides what is asked of the client.
    pub(super) fn is_choosing(&self) -> bool {
        self.0.choosing
    }

    /// What is asked of a client that asks for this name.
    pub(super) fn guarded(&self, name: Option<&str>) -> Option<&Arc<Guarded>> {
        self.0.by_name.find(name)?.as_ref()
    }
}

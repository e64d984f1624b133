//! What connections are served with: one configuration for every host whose clients show no
//! certificate, and one for each kind of certificate that is asked for.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;

use super::resolve::Names;
use crate::config::{Certificate, ClientAuth};

/// The TLS configurations of all hosts; clones share them.
#[derive(Clone, Debug)]
pub struct Server(Arc<Configs>);

#[derive(Debug)]
pub(super) struct Configs {
    pub(super) open: Arc<ServerConfig>,
    /// Every host that has a certificate.
    pub(super) by_name: Names<Option<Arc<Guarded>>>,
    /// Each once; none when no host asks for certificates.
    pub(super) guarded: Vec<Arc<Guarded>>,
    /// What is made of each pair of files.
    pub(super) certificates: HashMap<Certificate, Arc<CertifiedKey>>,
}

/// The configuration of hosts that ask clients for certificates.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) config: Arc<ServerConfig>,
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    pub(super) settings: Arc<ClientAuth>,
}

impl Server {
    pub(super) fn new(configs: Configs) -> Server {
        Server(Arc::new(configs))
    }

    /// The configuration that asks nobody for a certificate.
    pub fn open(&self) -> &Arc<ServerConfig> {
        &self.0.open
    }

    /// Whether the name asked for decides what is asked of the client.
    pub(super) fn is_choosing(&self) -> bool {
        !self.0.guarded.is_empty()
    }

    /// What is served of these files.
    pub(super) fn certificate(&self, files: &Certificate) -> Option<&Arc<CertifiedKey>> {
        self.0.certificates.get(files)
    }

    /// Who judges certificates of clients that are asked for like this.
    pub(super) fn verifier(&self, settings: &ClientAuth) -> Option<&Arc<dyn ClientCertVerifier>> {
        let guarded = self.0.guarded.iter();
        let mut alike = guarded.filter(|guarded| *guarded.settings == *settings);
        alike.next().map(|guarded| &guarded.verifier)
    }

    /// What is asked of a client that asks for this name.
    pub(super) fn guarded(&self, name: Option<&str>) -> Option<&Arc<Guarded>> {
        self.0.by_name.find(name)?.as_ref()
    }
}

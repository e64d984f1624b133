//! Certificates and clients for the tests of this folder: everything in memory but the PEM files.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;

use super::config::{Tickets, server_config};
use super::ocsp::Staples;
use super::provider::provider;
use super::{Session, SessionError};
use crate::config::{Certificate, Host, HostName, Ocsp, Tls};
use crate::files::Disk;

/// Year, month, day.
type Day = (i32, u8, u8);

/// A certificate authority and a directory for what it issues.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    directory: TempDir,
    issued: AtomicUsize,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::named("test authority")
    }

    pub(super) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            root,
            directory: TempDir::new().unwrap(),
            issued: AtomicUsize::new(0),
        }
    }

    /// Writes a certificate for these names, valid from 2000 to 3000.
    pub(super) fn issue(&self, names: &[&str]) -> Certificate {
        self.issue_between(names, (2000, 1, 1), (3000, 1, 1))
    }

    /// Writes a certificate valid between two days.
    pub(super) fn issue_between(&self, names: &[&str], from: Day, until: Day) -> Certificate {
        self.write_certificate(names, from, until, &KeyPair::generate().unwrap())
    }

    /// Writes a certificate for a given key.
    pub(super) fn issue_for(&self, names: &[&str], key: &KeyPair) -> Certificate {
        self.write_certificate(names, (2000, 1, 1), (3000, 1, 1), key)
    }

    fn write_certificate(
        &self,
        names: &[&str],
        from: Day,
        until: Day,
        key: &KeyPair,
    ) -> Certificate {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let leaf = params.signed_by(key, &self.issuer).unwrap();
        let n = self.issued.fetch_add(1, Ordering::Relaxed);
        Certificate {
            chain: self.write(&format!("{n}.pem"), leaf.pem()),
            key: self.write(&format!("{n}.key"), key.serialize_pem()),
            ocsp: Ocsp::default(),
        }
    }

    /// Writes a file into the directory.
    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A server configuration with a host for each list of names, each certificate naming exactly
    /// them.
    pub(super) fn server(&self, hosts: &[&[&str]]) -> Arc<ServerConfig> {
        let hosts: Vec<Host> = hosts
            .iter()
            .map(|names| {
                let named: Vec<&str> = names.iter().copied().filter(|name| *name != "*").collect();
                host(names, Some(self.issue(&named)))
            })
            .collect();
        server_config(
            &hosts,
            Tls::default(),
            &Disk,
            &Tickets::new().unwrap(),
            &Staples::default(),
        )
        .unwrap()
        .open()
        .clone()
    }

    /// A client that trusts this authority.
    pub(super) fn client(&self, with: Client) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let groups = with.groups;
        let provider = CryptoProvider {
            kx_groups: if groups.is_empty() {
                provider().kx_groups
            } else {
                groups
            },
            cipher_suites: if with.suites.is_empty() {
                provider().cipher_suites
            } else {
                with.suites
            },
            ..provider()
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[with.version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = with.alpn.iter().map(|&name| name.to_vec()).collect();
        config.resumption = Resumption::in_memory_sessions(8);
        config.enable_sni = with.sni;
        config.cert_decompressors.clear();
        Arc::new(config)
    }
}

/// What a test client offers.
pub(super) struct Client {
    pub(super) version: &'static SupportedProtocolVersion,
    pub(super) alpn: &'static [&'static [u8]],
    /// Empty for all.
    pub(super) groups: Vec<&'static dyn SupportedKxGroup>,
    /// Empty for all.
    pub(super) suites: Vec<SupportedCipherSuite>,
    pub(super) sni: bool,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            version: &rustls::version::TLS13,
            alpn: &[],
            groups: Vec::new(),
            suites: Vec::new(),
            sni: true,
        }
    }
}

pub(super) fn host(names: &[&str], certificate: Option<Certificate>) -> Host {
    let names = names
        .iter()
        .map(|name| match name.strip_prefix("*.") {
            Some(parent) => HostName::Wildcard(parent.to_owned()),
            None if *name == "*" => HostName::Any,
            None => HostName::Exact((*name).to_owned()),
        })
        .collect();
    Host {
        names,
        certificate,
        http3: true,
        ..Host::default()
    }
}

/// A client and a session joined by a wire that cuts what it carries into pieces.
pub(super) struct Wire {
    pub(super) client: ClientConnection,
    pub(super) session: Session,
    /// Sizes of the pieces, in turn.
    pub(super) cuts: Vec<usize>,
    turn: usize,
    /// What the session has sent.
    pub(super) sent: Vec<u8>,
    /// What the session has decrypted.
    pub(super) got: Vec<u8>,
    /// What the client has decrypted.
    pub(super) client_got: Vec<u8>,
}

impl Wire {
    pub(super) fn new(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Self {
            client: ClientConnection::new(client.clone(), name).unwrap(),
            session: Session::new(server.clone()).unwrap(),
            cuts: vec![usize::MAX],
            turn: 0,
            sent: Vec::new(),
            got: Vec::new(),
            client_got: Vec::new(),
        }
    }

    /// Carries bytes both ways until nothing moves.
    pub(super) fn run(&mut self) -> Result<(), SessionError> {
        loop {
            let up = self.take_from_client();
            self.feed(&up)?;
            let mut down = BytesMut::new();
            self.session.drain_outgoing(&mut down);
            if up.is_empty() && down.is_empty() {
                return Ok(());
            }
            self.deliver(&down).unwrap();
        }
    }

    /// Everything that the client wants to send.
    pub(super) fn take_from_client(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Hands the session bytes in pieces; every piece is processed at once.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), SessionError> {
        while !bytes.is_empty() {
            let cut = self.cuts[self.turn % self.cuts.len()].clamp(1, bytes.len());
            self.turn += 1;
            self.session.receive(BytesMut::from(&bytes[..cut]));
            bytes = &bytes[cut..];
            let result = self.session.process();
            self.got.extend_from_slice(&self.session.take_plaintext());
            result?;
        }
        Ok(())
    }

    /// Hands the client bytes and reads what they decrypt to.
    pub(super) fn deliver(&mut self, mut bytes: &[u8]) -> Result<(), rustls::Error> {
        use std::io::Read;
        self.sent.extend_from_slice(bytes);
        while !bytes.is_empty() {
            self.client.read_tls(&mut bytes).unwrap();
            self.client.process_new_packets()?;
            let mut chunk = [0; 4096];
            // WouldBlock: nothing more for now.
            while let Ok(n @ 1..) = self.client.reader().read(&mut chunk) {
                self.client_got.extend_from_slice(&chunk[..n]);
            }
        }
        Ok(())
    }

    /// Sends from the client to the session.
    pub(super) fn upload(&mut self, mut data: &[u8]) -> Result<(), SessionError> {
        use std::io::Write;
        while !data.is_empty() {
            let written = self.client.writer().write(data).unwrap();
            data = &data[written..];
            self.run()?;
        }
        Ok(())
    }

    /// Sends from the session to the client.
    pub(super) fn download(&mut self, data: &[u8]) -> Result<(), SessionError> {
        let mut out = BytesMut::new();
        self.session.encrypt(data, &mut out)?;
        self.deliver(&out).unwrap();
        Ok(())
    }
}

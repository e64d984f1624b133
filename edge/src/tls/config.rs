//! The TLS policy: one configuration for every worker and host.
//!
//! TLS 1.2 and 1.3 only. Groups and cipher suites are taken in the client's order: all that are
//! offered here are strong, the client knows whether its processor has AES instructions, and one
//! that knows X25519 with ML-KEM-768 lists it first, so that what is recorded today stays secret
//! when quantum computers come. Sessions are resumed by tickets alone: their keys are shared by all
//! workers and nothing is stored per client.
//! No early data over TCP: a replayed `tools/call` would run twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoServerSessionStorage, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::version::{TLS12, TLS13};

use super::clients::verifier;
use super::early::{EarlySessions, Promises};
use super::error::Error;
use super::load::load;
use super::ocsp::Staples;
use super::provider::provider;
use super::resolve::{ByName, Names};
use super::server::{Configs, Guarded, Server};
use crate::config::{Host, Tls, TlsVersion};
use crate::files::Files;

/// In the order of preference; both fronts are offered to every client.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Tickets for each TLS 1.3 session: one to resume with and one for a second connection beside it.
const TICKETS: usize = 2;

/// The keys that session tickets are sealed with, of the whole process: they rotate, and a client
/// resumes its session at any worker, over any transport, before and after a reload.
#[derive(Clone, Debug)]
pub struct Tickets(Arc<dyn ProducesTickets>);

impl Tickets {
    /// Keys that nobody has seen before.
    pub fn new() -> Result<Tickets, Error> {
        Ok(Tickets(Ticketer::new()?))
    }
}

/// Reads the certificates of all hosts and builds the configuration that all workers share.
///
/// Fails on the first certificate that cannot be served now; [`check`](super::check) lists all.
pub fn server_config(
    hosts: &[Host],
    tls: Tls,
    disk: &dyn Files,
    tickets: &Tickets,
    staples: &Staples,
) -> Result<Server, Error> {
    build(hosts, tls, disk, tickets, staples, None)
}

/// The same for files that have changed: of those that cannot be used, what `before` serves stays,
/// so that one host's certificate does not keep those of others from being renewed.
/// [`inspect`](super::inspect) says what is wrong.
pub fn renewed(
    before: &Server,
    hosts: &[Host],
    tls: Tls,
    disk: &dyn Files,
    tickets: &Tickets,
    staples: &Staples,
) -> Result<Server, Error> {
    build(hosts, tls, disk, tickets, staples, Some(before))
}

fn build(
    hosts: &[Host],
    tls: Tls,
    disk: &dyn Files,
    tickets: &Tickets,
    staples: &Staples,
    before: Option<&Server>,
) -> Result<Server, Error> {
    let provider = Arc::new(provider());
    let now = SystemTime::now();
    let mut certificates = ByName::default();
    // Hosts share files, and what is made of them.
    let mut loaded: HashMap<_, Arc<_>> = HashMap::new();
    for host in hosts {
        let Some(files) = &host.certificate else {
            continue;
        };
        let key = match loaded.entry(files.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let there = before.and_then(|before| before.certificate(files));
                let (loaded, errors) = load(files, there, disk, &provider, now, staples);
                let loaded = loaded.ok_or_else(|| first(errors))?;
                new.insert(Arc::new(loaded.key))
            }
        };
        certificates.add(&host.names, key);
    }
    if certificates.is_empty() {
        return Err(Error::NoCertificates);
    }

    let certificates: Arc<dyn ResolvesServerCert> = Arc::new(certificates);
    let builder = |verifier: Arc<dyn ClientCertVerifier>| -> Result<ServerConfig, Error> {
        let versions: &[_] = match tls.min_version {
            TlsVersion::Tls12 => &[&TLS13, &TLS12],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&certificates));
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        config.ignore_client_order = false;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        // None: a resumed session would not show its certificate again.
        config.send_tls13_tickets = 0;
        Ok(config)
    };

    let mut by_name = Names::default();
    let mut known: Vec<Arc<Guarded>> = Vec::new();
    for host in hosts.iter().filter(|host| host.certificate.is_some()) {
        let guarded = match &host.client_auth {
            None => None,
            Some(settings) => Some(match known.iter().find(|g| *g.settings == *settings) {
                Some(same) => Arc::clone(same),
                None => {
                    let there = before.and_then(|before| before.verifier(settings));
                    let verifier = verifier(settings, disk, &provider)
                        .or_else(|error| there.cloned().ok_or(error))?;
                    let new = Arc::new(Guarded {
                        config: Arc::new(builder(Arc::clone(&verifier))?),
                        verifier,
                        settings: Arc::new(settings.clone()),
                    });
                    known.push(Arc::clone(&new));
                    new
                }
            }),
        };
        by_name.add(&host.names, &guarded);
    }
    let mut open = builder(WebPkiClientVerifier::no_client_auth())?;
    open.ticketer = Arc::clone(&tickets.0);
    open.send_tls13_tickets = TICKETS;
    Ok(Server::new(Configs {
        open: Arc::new(open),
        by_name,
        guarded: known,
        certificates: loaded,
    }))
}

/// The same for QUIC, which carries HTTP/3 alone (RFC 9114 §3.1). With early data sessions are
/// remembered here instead of in tickets, which could be used any number of times.
pub fn for_quic(
    tcp: &ServerConfig,
    early: Option<(&EarlySessions, Promises)>,
) -> Arc<ServerConfig> {
    let mut config = tcp.clone();
    config.alpn_protocols = vec![b"h3".to_vec()];
    if let Some((sessions, promises)) = early {
        config.session_storage = sessions.under(promises);
        config.ticketer = Arc::new(NoTickets);
        // All or nothing is what QUIC has (RFC 9001 §4.6.1); flow control bounds it.
        config.max_early_data_size = u32::MAX;
    }
    Arc::new(config)
}

#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

fn first(errors: Vec<Error>) -> Error {
    let mut errors = errors.into_iter();
    errors.next().expect("a failed load names its reasons")
}

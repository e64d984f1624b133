//! Which certificate a client gets, by the name it asks for.
//!
//! - A name that a host has: that host's certificate; an exact name goes before a wildcard.
//! - Another name: the certificate of the `*` host, or, without one, no certificate: the handshake
//!   ends with the alert `unrecognized_name` (RFC 6066 §3) instead of a certificate that the client
//!   would refuse anyway and that would tell scanners which names live here.
//! - No name: clients that connect to an address send none (RFC 6066 §3), so the first host that has
//!   an address for a name; else the `*` host; else the first host.
//!
//! `rustls` does not let an unbuffered connection say which name was asked for, so the choice is
//! left in a thread-local for the session that is being driven on this thread at that moment.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::HostName;

/// The certificates of all hosts.
pub(super) type ByName = Names<Arc<CertifiedKey>>;

/// Something of each host, by the names that clients ask for.
#[derive(Debug)]
pub(super) struct Names<T> {
    exact: HashMap<String, T>,
    wildcard: HashMap<String, T>,
    any: Option<T>,
    address: Option<T>,
    first: Option<T>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Names {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            any: None,
            address: None,
            first: None,
        }
    }
}

/// What a client asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The name, in lower case; `None` when it sent none.
    pub(super) name: Option<Box<str>>,
    /// Whether there is a certificate to answer with.
    pub(super) known: bool,
}

thread_local! {
    static ASKED: RefCell<Option<Asked>> = const { RefCell::new(None) };
}

/// Takes what the last client hello seen on this thread asked for.
pub(super) fn take_asked() -> Option<Asked> {
    ASKED.take()
}

impl<T: Clone> Names<T> {
    /// Adds a host; of two with the same name the first wins.
    pub(super) fn add(&mut self, names: &[HostName], of_host: &T) {
        self.first.get_or_insert_with(|| of_host.clone());
        for name in names {
            match name {
                HostName::Exact(name) => {
                    if name.parse::<IpAddr>().is_ok() {
                        self.address.get_or_insert_with(|| of_host.clone());
                    }
                    self.exact
                        .entry(name.clone())
                        .or_insert_with(|| of_host.clone());
                }
                HostName::Wildcard(parent) => {
                    self.wildcard
                        .entry(parent.clone())
                        .or_insert_with(|| of_host.clone());
                }
                HostName::Any => {
                    self.any.get_or_insert_with(|| of_host.clone());
                }
            }
        }
    }

    /// Whether there is no certificate at all.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// What is there for a name in lower case, or for a client that asks for none.
    pub(super) fn find(&self, name: Option<&str>) -> Option<&T> {
        let any = self.any.as_ref();
        let Some(name) = name else {
            return self.address.as_ref().or(any).or(self.first.as_ref());
        };
        self.exact
            .get(name)
            .or_else(|| self.wildcard.get(name.split_once('.')?.1))
            .or(any)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello
            .server_name()
            .map(|name| name.to_ascii_lowercase().into_boxed_str());
        let key = self.find(name.as_deref()).cloned();
        ASKED.set(Some(Asked {
            name,
            known: key.is_some(),
        }));
        key
    }
}

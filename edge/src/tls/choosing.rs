//! From the first bytes of a connection to the configuration it is served with.

use std::sync::Arc;

use rustls::server::Acceptor;

use super::server::{Guarded, Server};

/// Reads a client hello beside the session that will answer it.
pub(super) struct Choosing {
    acceptor: Acceptor,
    /// Bytes of the input that it has been given.
    read: usize,
    server: Server,
}

/// What the client hello asks for.
pub(super) enum Choice {
    /// It is not all there.
    Later,
    /// A host that asks for no certificate, or something that is no client hello.
    Open,
    /// A host that does.
    Guarded(Arc<Guarded>),
}

impl Choosing {
    pub(super) fn new(server: Server) -> Choosing {
        Choosing {
            acceptor: Acceptor::default(),
            read: 0,
            server,
        }
    }

    /// `input` is all that has arrived so far.
    pub(super) fn choose(&mut self, input: &[u8]) -> Choice {
        while self.read < input.len() {
            match self.acceptor.read_tls(&mut &input[self.read..]) {
                Ok(read) if read > 0 => self.read += read,
                _ => return Choice::Open,
            }
            match self.acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    let hello = accepted.client_hello();
                    let name = hello.server_name().map(str::to_ascii_lowercase);
                    return match self.server.guarded(name.as_deref()) {
                        Some(guarded) => Choice::Guarded(Arc::clone(guarded)),
                        None => Choice::Open,
                    };
                }
                Err(_) => return Choice::Open,
            }
        }
        Choice::Later
    }
}

//! TLS without sockets: certificates chosen by name, policy, and sessions on owned buffers.
//!
//! `server_config` turns the hosts of the configuration into one `rustls` configuration that every
//! worker shares; `check` finds everything wrong with their certificates at once; a [`Session`] is
//! one connection, fed ciphertext and asked for plaintext by whoever owns the socket. The only I/O
//! here is reading certificate files, at start and on reload. A certificate that cannot be used is
//! an error before anything is served, never a handshake that fails later.

mod check;
mod choosing;
mod client;
mod client_stream;
mod clients;
mod config;
mod drive;
mod early;
mod error;
mod load;
mod ocsp;
mod provider;
mod records;
mod resolve;
mod sealing;
mod server;
mod session;
mod session_error;
mod stapling;
mod stream;
mod trust;

#[cfg(test)]
mod testing;

pub use check::{Expiry, Report, check, inspect};
pub use client::{Client, ClientError};
pub use client_stream::ClientStream;
pub use clients::ClientCertificate;
pub use config::{Tickets, for_quic, renewed, server_config};
pub use early::{EarlySessions, Promises};
pub use error::{Error, Role, Warning};
pub use ocsp::{OcspError, Staple, Staples, Subject, Target, Validity};
pub use provider::provider;
pub use server::Server;
pub use session::{Session, Version};
pub use session_error::SessionError;
pub use stream::{HandshakeError, TlsStream};
pub use trust::{distrust, repeat};

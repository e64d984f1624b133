//! What can be wrong with the certificates of a configuration, each with its file, the reason and
//! the way out.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use httpdate::fmt_http_date;

use super::ocsp::OcspError;

/// A certificate that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there.
    #[error(
        "{role} file {} does not exist: correct the path or obtain a certificate first",
        path.display()
    )]
    Missing {
        /// Which of the two files.
        role: Role,
        /// As configured.
        path: PathBuf,
    },

    /// The file is there but cannot be read.
    #[error(
        "{role} file {} cannot be read: make it a file that the account that starts edge can read",
        path.display()
    )]
    Unreadable {
        /// Which of the two files.
        role: Role,
        /// As configured.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The file is far larger than any certificate chain.
    #[error("{role} file {} is larger than {limit} bytes: is it the right file?", path.display())]
    TooLarge {
        /// Which of the two files.
        role: Role,
        /// As configured.
        path: PathBuf,
        /// Bytes accepted.
        limit: u64,
    },

    /// The file has PEM sections that do not decode.
    #[error("{role} file {} is damaged ({reason}): copy it again from its source", path.display())]
    Damaged {
        /// Which of the two files.
        role: Role,
        /// As configured.
        path: PathBuf,
        /// Where decoding stopped.
        reason: String,
    },

    /// The file has no section of the kind needed.
    #[error("{role} file {} holds no {role} in PEM form{hint}", path.display())]
    Nothing {
        /// Which of the two files.
        role: Role,
        /// As configured.
        path: PathBuf,
        /// What it holds instead and what to do, with a leading separator; may be empty.
        hint: &'static str,
    },

    /// The key is encrypted.
    #[error(
        "key file {0} is protected by a passphrase: write it without one, \
         `openssl pkey -in {0} -out key.pem`",
        path.display()
    )]
    EncryptedKey {
        /// As configured.
        path: PathBuf,
    },

    /// The key is of a kind that is not supported.
    #[error(
        "key file {} cannot be used ({reason}): use ECDSA (P-256, P-384, P-521), Ed25519, or RSA \
         of 2048 bits or more",
        path.display()
    )]
    UnsupportedKey {
        /// As configured.
        path: PathBuf,
        /// What the cryptography library said.
        reason: String,
    },

    /// The certificate is not one that can be served.
    #[error(
        "certificate file {} starts with a certificate that cannot be used ({reason}): \
         put an X.509 v3 server certificate first",
        path.display()
    )]
    UnsupportedCertificate {
        /// As configured.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },

    /// The key belongs to another certificate.
    #[error(
        "key file {} does not belong to the first certificate in {}: the server's own \
         certificate must come first, and the key must be the one it was issued for",
        key.display(),
        chain.display()
    )]
    KeyMismatch {
        /// The chain, as configured.
        chain: PathBuf,
        /// The key, as configured.
        key: PathBuf,
    },

    /// The certificate is too old to take the place of one that is served.
    #[error(
        "certificate in {} expired on {}: renew it",
        path.display(),
        fmt_http_date(*not_after)
    )]
    Expired {
        /// The chain, as configured.
        path: PathBuf,
        /// Its last moment.
        not_after: SystemTime,
    },

    /// The certificate is too new for that.
    #[error(
        "certificate in {} is not valid before {}: check this machine's clock, or wait",
        path.display(),
        fmt_http_date(*not_before)
    )]
    NotYetValid {
        /// The chain, as configured.
        path: PathBuf,
        /// Its first moment.
        not_before: SystemTime,
    },

    /// The library refuses a client authority or revocation list.
    #[error("{role} file {} cannot be used ({reason}): check where it comes from", path.display())]
    Unusable {
        /// Which file.
        role: Role,
        /// As configured.
        path: PathBuf,
        /// What the library said.
        reason: String,
    },

    /// There is nothing to serve TLS with.
    #[error(
        "no host has a certificate: set `certificate` and `key` in a [[host]], or `https = []` \
         in [listen]"
    )]
    NoCertificates,

    /// The cryptography library refused to start.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// A certificate that can be served but will disappoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Clients that ask for this name will refuse the certificate.
    #[error(
        "certificate in {} does not cover {name}: clients will refuse it, get one that names it",
        path.display()
    )]
    NotCovered {
        /// The chain, as configured.
        path: PathBuf,
        /// The host's name, as in the configuration.
        name: String,
    },

    /// It is too old.
    #[error(
        "certificate in {} expired on {}: clients refuse it, renew it",
        path.display(),
        fmt_http_date(*not_after)
    )]
    Expired {
        /// The chain, as configured.
        path: PathBuf,
        /// Its last moment.
        not_after: SystemTime,
    },

    /// It is too new.
    #[error(
        "certificate in {} is not valid before {}: clients refuse it; check this machine's clock, or wait",
        path.display(),
        fmt_http_date(*not_before)
    )]
    NotYetValid {
        /// The chain, as configured.
        path: PathBuf,
        /// Its first moment.
        not_before: SystemTime,
    },

    /// It ends within two weeks.
    #[error(
        "certificate in {} expires on {} ({days} days left): renew it",
        path.display(),
        fmt_http_date(*not_after)
    )]
    ExpiresSoon {
        /// The chain, as configured.
        path: PathBuf,
        /// Its last moment.
        not_after: SystemTime,
        /// Whole days left.
        days: u64,
    },

    /// No answer of the authority can be fetched.
    #[error(
        "no OCSP answer is stapled beside the certificate in {}: {why}",
        path.display()
    )]
    NoAnswer {
        /// The chain, as configured.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },

    /// The answer in a file is not shown to clients.
    #[error("OCSP response file {} is not stapled: {problem}", path.display())]
    NotStapled {
        /// The file, as configured.
        path: PathBuf,
        /// What is wrong with it.
        problem: OcspError,
    },
}

impl Warning {
    /// The file it is about.
    pub fn path(&self) -> &Path {
        match self {
            Warning::NotCovered { path, .. }
            | Warning::Expired { path, .. }
            | Warning::NotYetValid { path, .. }
            | Warning::ExpiresSoon { path, .. }
            | Warning::NoAnswer { path, .. }
            | Warning::NotStapled { path, .. } => path,
        }
    }
}

/// Which file of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The chain.
    Certificate,
    /// The private key.
    Key,
    /// Authorities of clients.
    ClientCa,
    /// Revoked certificates of clients.
    Crl,
    /// An OCSP response.
    Ocsp,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Role::Certificate => "certificate",
            Role::Key => "key",
            Role::ClientCa => "client authority",
            Role::Crl => "revocation list",
            Role::Ocsp => "OCSP response",
        })
    }
}

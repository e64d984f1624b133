//! What an authority says of a certificate now (OCSP, RFC 6960), for servers to staple (RFC 6066 §8).
//!
//! A [`Subject`] is a certificate and its issuer, as the authority is asked about it; an answer is
//! believed once [`Subject::judge`] has found that it is about this certificate, signed by its issuer
//! or by whom the issuer has charged with that, good, and of now. [`Staples`] keeps such answers for
//! the process. Who asks, and when, is `server::stapling`.

mod der;
mod judge;
mod signer;
mod staples;
mod subject;

#[cfg(test)]
mod tests;

pub use judge::OcspError;
pub use staples::{Staple, Staples};
pub use subject::{Subject, Target};
pub(super) use subject::{must_staple, responder};

use std::time::SystemTime;

/// How long an answer may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From then on the authority knew it to be so.
    pub this_update: SystemTime,
    /// Until then it is worth something.
    pub next_update: SystemTime,
}

//! What clients prove who they are with: bearer tokens and the keys of authorization servers;
//! passwords.
//!
//! A resource server of OAuth 2.1 as the Model Context Protocol wants it
//! (<https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization>): tokens are JWTs
//! of one issuer, meant for this resource and no other. Keys are fetched by a thread of their own,
//! never by a worker; a token is judged by what is known, and fails closed.

mod challenge;
mod fetch;
mod issuer;
mod keys;
mod passwords;
mod token;
mod user_lines;

pub use challenge::{Challenge, metadata};
pub use issuer::{Issuer, Issuers};
pub use keys::KeySet;
pub use passwords::{Busy, Passwords};
pub use token::{Claims, TokenError, Verifier};
pub use user_lines::{UserLineError, hash_password, with_user, without_user};

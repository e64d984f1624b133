//! What is said between the serving process and its keeper: packets of JSON, some with a descriptor.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::server::steer::Steering;
use crate::server::update::Endpoint;

/// What the keeper can be asked for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    /// Open the configuration and every file that it names.
    Files,
    /// Open every file that is watched for changes, of all configurations since the start, as it is
    /// now.
    Again,
    /// Bind addresses that the configuration listens on.
    Bind {
        /// The addresses, and what for.
        endpoints: Vec<Endpoint>,
        /// How many sockets for each.
        each: usize,
        /// Those that the serving process listens on already.
        own: Vec<Endpoint>,
        /// How packets are dealt to them.
        steering: Steering,
    },
    /// Open the access log that the configuration names.
    Log,
    /// Attach the kernel program that comes along to an interface of the configuration.
    Attach {
        /// Its name.
        interface: String,
    },
}

/// What comes back, one after the other until [`Reply::End`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// An open file.
    File(PathBuf),
    /// A file that cannot be opened, and the error number.
    NoFile(PathBuf, i32),
    /// A listening socket.
    Socket(Endpoint),
    /// The sockets of this address get their packets by the kernel's hash; why.
    Unsteered(Endpoint, String),
    /// An address that cannot be bound, and the error number.
    NoSocket(SocketAddr, i32),
    /// The link to an interface, and how it is attached.
    Attached(String),
    /// The program could not be attached; why.
    NotAttached(String),
    /// That was all.
    End,
}

//! `edge unban`.

use std::net::IpAddr;

use clap::Args;

use super::failure::Failure;
use super::socket::Socket;
use super::{address, output};
use crate::observe::admin::{Request, Unbanned};

/// Lift a ban
///
/// An address that is not banned is no error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge unban 203.0.113.7")]
pub(super) struct Unban {
    /// The address
    #[arg(value_name = "ADDR", value_parser = address::parse)]
    address: IpAddr,
    #[command(flatten)]
    socket: Socket,
}

impl Unban {
    pub(super) fn run(self) -> Result<(), Failure> {
        let addr = self.address;
        let unbanned: Unbanned = self.socket.call(&Request::Unban { addr })?;
        output::result(&match unbanned.was_banned {
            true => format!("unbanned {addr}"),
            false => format!("{addr} was not banned"),
        });
        Ok(())
    }
}

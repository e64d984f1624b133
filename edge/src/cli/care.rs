//! Options of every command that can shut somebody out.

use std::env;
use std::net::IpAddr;

use clap::Args;

use crate::observe::admin::Care;

/// How careful to be.
#[derive(Debug, Args)]
pub(super) struct CareOptions {
    /// Also this machine's own addresses, its default gateway, loopback and your own SSH address
    #[arg(long)]
    force: bool,
}

impl CareOptions {
    /// With where this command is given from.
    pub(super) fn care(&self) -> Care {
        let variables = ["SSH_CONNECTION", "SSH_CLIENT"];
        let ssh = variables
            .into_iter()
            .find_map(|name| ssh_client(&env::var(name).ok()?));
        Care {
            force: self.force,
            ssh,
        }
    }
}

/// Both variables begin with the client's address, ssh(1).
fn ssh_client(value: &str) -> Option<IpAddr> {
    let addr = value.split_whitespace().next()?;
    // A link-local one has its interface behind it.
    let addr = addr.split('%').next()?.parse::<IpAddr>().ok()?;
    Some(addr.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::ssh_client;

    #[test]
    fn the_client_comes_first() {
        let addr = |text: &str| text.parse().ok();
        assert_eq!(
            ssh_client("203.0.113.7 50000 192.0.2.1 22"),
            addr("203.0.113.7")
        );
        assert_eq!(
            ssh_client("::ffff:203.0.113.7 50000 22"),
            addr("203.0.113.7")
        );
        assert_eq!(ssh_client("fe80::1%eth0 50000 22"), addr("fe80::1"));
        assert_eq!(ssh_client(""), None);
        assert_eq!(ssh_client("localhost 1 2"), None);
    }
}

//! The ports of the demonstration, checked before anything is built or started.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use anyhow::{Result, bail};

use crate::shell;

/// Where `edge` will listen.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Ports {
    /// HTTPS: what the demonstration is about
    #[arg(long = "https-port", value_name = "PORT", default_value_t = 8443)]
    pub(super) https: u16,
    /// Plain HTTP: redirects to HTTPS
    #[arg(long = "http-port", value_name = "PORT", default_value_t = 8080)]
    pub(super) http: u16,
    /// The metrics page, on 127.0.0.1
    #[arg(long = "metrics-port", value_name = "PORT", default_value_t = 9900)]
    pub(super) metrics: u16,
}

impl Ports {
    /// Fails when somebody else has one of them, naming who and what to do.
    pub(super) fn check(self, addresses: &[IpAddr]) -> Result<()> {
        let flags = [
            (self.https, "--https-port", addresses),
            (self.http, "--http-port", addresses),
            (
                self.metrics,
                "--metrics-port",
                &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
            ),
        ];
        for (port, flag, addresses) in flags {
            for address in addresses {
                match TcpListener::bind(SocketAddr::new(*address, port)) {
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                        let owner = owner(port)
                            .map(|who| format!(" by {who}"))
                            .unwrap_or_default();
                        bail!(
                            "port {port} is taken{owner}; stop that, or choose another with {flag}"
                        );
                    }
                    Err(error) => bail!("cannot listen on port {port}: {error}; choose {flag}"),
                    Ok(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// The loopback addresses this machine has.
pub(super) fn loopback() -> Vec<IpAddr> {
    let both = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];
    both.into_iter()
        .filter(|address| TcpListener::bind((*address, 0)).is_ok())
        .collect()
}

/// Who listens on `port`, where that can be seen: `"nginx" (process 812)`.
fn owner(port: u16) -> Option<String> {
    let filter = ["-Hltnp", &format!("sport = :{port}")];
    owner_in(&shell::output(shell::command("ss").args(filter)).ok()?)
}

/// The same, from what `ss` prints: `... users:(("nginx",pid=812,fd=6))`.
fn owner_in(listing: &str) -> Option<String> {
    let (_, users) = listing.split_once("users:((\"")?;
    let (name, rest) = users.split_once('"')?;
    let (_, id) = rest.split_once("pid=")?;
    let id: String = id.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("{name} (process {id})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_owner_of_a_port() {
        let line = "LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:((\"nginx\",pid=812,fd=6),(\"nginx\",pid=813,fd=6))";
        assert_eq!(owner_in(line).as_deref(), Some("nginx (process 812)"));
        assert_eq!(owner_in("LISTEN 0 511 0.0.0.0:80 0.0.0.0:*"), None);
    }

    #[test]
    fn a_taken_port_is_named_with_the_flag_to_change_it() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = taken
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let ports = Ports {
            https: port,
            http: 0,
            metrics: 0,
        };
        let refused = ports
            .check(&[IpAddr::V4(Ipv4Addr::LOCALHOST)])
            .expect_err("it is taken");
        let text = refused.to_string();
        assert!(text.contains(&format!("port {port} is taken")), "{text}");
        assert!(text.contains("--https-port"), "{text}");
    }
}

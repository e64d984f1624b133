//! The configuration file of the demonstration.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::run::certificate::Certificate;
use crate::run::ports::Ports;

/// What differs from one demonstration to the next.
#[derive(Debug)]
pub(super) struct Demo<'a> {
    /// Addresses to listen on.
    pub(super) addresses: &'a [IpAddr],
    /// Ports to listen on.
    pub(super) ports: Ports,
    /// What to show to clients.
    pub(super) certificate: &'a Certificate,
    /// The demo upstream.
    pub(super) upstream: SocketAddr,
    /// The interface to protect, and how the program is attached to it.
    pub(super) interface: &'a str,
    /// `generic` or `native`.
    pub(super) mode: &'a str,
    /// Where the access log and the admin socket go.
    pub(super) directory: &'a Path,
    /// Where the shield is pinned.
    pub(super) pin: &'a Path,
}

impl Demo<'_> {
    /// The file as text.
    pub(super) fn to_toml(&self) -> String {
        let listen = |port: u16| {
            let addresses = self
                .addresses
                .iter()
                .map(|ip| SocketAddr::new(*ip, port).to_string());
            addresses
                .map(|address| text(&address))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let path = |path: &Path| text(&path.to_string_lossy());
        let mut toml = String::new();
        // Short, so that Ctrl-C does not wait for clients that stay.
        write!(
            toml,
            "[listen]\nhttps = [{https}]\nhttp = [{http}]\nredirect = true\n\n\
             [[host]]\nnames = [\"*\"]\ncertificate = {chain}\nkey = {key}\n\n\
             [[host.route]]\npath = \"/\"\nupstream = {upstream}\n\n\
             [timeouts]\ndrain = \"2s\"\n\n\
             [shield]\nmode = {mode}\ninterfaces = [{interface}]\npin = {pin}\n\n\
             [log]\naccess = {access}\n\n\
             [metrics]\nlisten = {metrics}\n\n\
             [admin]\nsocket = {socket}\n",
            https = listen(self.ports.https),
            http = listen(self.ports.http),
            chain = path(&self.certificate.chain),
            key = path(&self.certificate.key),
            upstream = text(&format!("http://{}", self.upstream)),
            mode = text(self.mode),
            pin = path(self.pin),
            interface = text(self.interface),
            access = path(&self.directory.join("access.log")),
            metrics = text(&format!("127.0.0.1:{}", self.ports.metrics)),
            socket = path(&self.directory.join("admin.sock")),
        )
        .expect("a string takes everything");
        toml
    }
}

/// A TOML string.
fn text(value: &str) -> String {
    toml::Value::from(value).to_string()
}

/// Where the metrics page of somebody's own configuration is; `None` when it has none, or when the
/// file cannot be read here: `edge` is the one to say what is wrong with it.
pub(super) fn metrics_address(file: &str) -> Option<SocketAddr> {
    let table: toml::Table = file.parse().ok()?;
    match table
        .get("metrics")
        .and_then(|metrics| metrics.get("listen"))
    {
        Some(listen) => listen.as_str()?.parse().ok(),
        None => Some(SocketAddr::from(([127, 0, 0, 1], 9900))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_metrics_page() {
        let usual = Some(SocketAddr::from(([127, 0, 0, 1], 9900)));
        assert_eq!(metrics_address("workers = 1"), usual);
        assert_eq!(metrics_address("[metrics]\nlisten = \"off\""), None);
        let other = Some(SocketAddr::from(([127, 0, 0, 1], 9)));
        assert_eq!(
            metrics_address("[metrics]\nlisten = \"127.0.0.1:9\""),
            other
        );
    }

    #[test]
    fn is_toml_whatever_the_paths() {
        let certificate = Certificate {
            ca: "ca.pem".into(),
            chain: "/a \"b\"/cert.pem".into(),
            key: "/a\\b/key.pem".into(),
        };
        let demo = Demo {
            addresses: &[
                IpAddr::from([127, 0, 0, 1]),
                "::1".parse().expect("an address"),
            ],
            ports: Ports {
                https: 1,
                http: 2,
                metrics: 3,
            },
            certificate: &certificate,
            upstream: SocketAddr::from(([127, 0, 0, 1], 4)),
            interface: "lo",
            mode: "generic",
            directory: Path::new("/tmp/x"),
            pin: Path::new("/sys/fs/bpf/x"),
        };
        let table: toml::Table = demo.to_toml().parse().expect("it is TOML");
        assert_eq!(
            table["host"][0]["certificate"].as_str(),
            Some("/a \"b\"/cert.pem")
        );
        assert_eq!(table["listen"]["https"][1].as_str(), Some("[::1]:1"));
    }
}

//! Telling clients that the same answers are to be had over HTTP/3 (RFC 7838 §3, RFC 9114 §3.1.1).

use super::configured::Proxy;
use super::exchange::Peer;
use super::router::Site;
use crate::config::Config;
use crate::message::{Fields, Name, Version};

/// What to say, if anything.
pub(super) fn value(config: &Config) -> Option<Box<str>> {
    let first = config.listen.quic.first()?;
    let port = config.quic.alt_svc_port.unwrap_or(first.port());
    let secs = config.quic.alt_svc?.as_secs();
    Some(format!("h3=\":{port}\"; ma={secs}").into())
}

impl Proxy {
    /// Whether answers to such a request say it: over TLS, for the alternative must be trusted as
    /// the origin is, and not over HTTP/3 itself.
    pub(super) fn advertises(&self, version: Version, peer: &Peer, site: Option<&Site>) -> bool {
        self.alt_svc.is_some()
            && version != Version::Http3
            && peer.tls.is_some()
            && site.is_some_and(|site| {
                // Certificates of clients are asked for over TCP alone.
                site.has_certificate && site.http3 && site.client_auth.is_none()
            })
    }

    /// Says it, instead of what the upstream may say of its own.
    pub(super) fn advertise(&self, fields: &mut Fields) {
        if let Some(value) = &self.alt_svc {
            fields.set(Name::AltSvc, value.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::testing;
    use std::time::Duration;

    #[test]
    fn the_port_that_clients_see() {
        let mut config = testing::config();
        assert_eq!(value(&config), None, "nothing is listened on");
        config.listen.quic = vec!["[::]:8443".parse().expect("valid")];
        assert_eq!(value(&config), None, "switched off");
        config.quic.alt_svc = Some(Duration::from_secs(86_400));
        assert_eq!(value(&config).as_deref(), Some("h3=\":8443\"; ma=86400"));
        config.quic.alt_svc_port = Some(443);
        assert_eq!(value(&config).as_deref(), Some("h3=\":443\"; ma=86400"));
    }
}

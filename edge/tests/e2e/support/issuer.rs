//! A real authorization server.

use std::time::Duration;

use super::{Client, Process, free_port, node_script};

/// `oidc-provider` from npm.
pub(crate) struct Issuer {
    pub(crate) port: u16,
    _process: Process,
}

impl Issuer {
    pub(crate) fn start() -> Issuer {
        Issuer::start_at(free_port())
    }

    /// The same server once more, with another key.
    pub(crate) fn start_at(port: u16) -> Issuer {
        let mut process =
            Process::start("oidc", node_script("oidc_server.mjs", &[&port.to_string()]));
        process.wait_for("listening on", Duration::from_secs(40));
        Issuer {
            port,
            _process: process,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A token for a resource, with scopes.
    pub(crate) fn token(&self, resource: &str, scope: &str) -> String {
        self.token_of("e2e", resource, scope)
    }

    /// The same for another client, which is its subject.
    pub(crate) fn token_of(&self, client: &str, resource: &str, scope: &str) -> String {
        let body = format!(
            "grant_type=client_credentials&client_id={client}&client_secret=secret&resource={resource}&scope={}",
            scope.replace(' ', "+")
        );
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        let mut client = Client::plain(([127, 0, 0, 1], self.port).into());
        let response = client.exchange(request);
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }
}

//! What a newcomer would try first, ready to paste.

use std::net::IpAddr;
use std::path::Path;

use crate::repo::Repo;
use crate::run::config::Demo;
use crate::run::namespaces::{self, Namespaces};

/// How clients reach the demonstration.
#[derive(Debug)]
pub(super) struct View {
    /// The name or address to call.
    host: String,
    /// A second address of the client, to be banned.
    victim: String,
    /// What it takes to ban that address, with a blank, or nothing: nobody bans his own machine by accident.
    force: &'static str,
    /// What to put before a client's command, with a blank, or nothing.
    client: String,
    /// What to put before a command on the host.
    server: String,
}

impl View {
    /// Client and host are this machine.
    pub(super) fn loopback() -> Self {
        Self {
            host: "localhost".to_owned(),
            victim: "127.0.0.2".to_owned(),
            force: " --force",
            client: String::new(),
            server: String::new(),
        }
    }

    /// Client and host are two namespaces.
    pub(super) fn namespaces() -> Self {
        Self {
            host: IpAddr::V4(namespaces::HOST_ADDRESS).to_string(),
            victim: namespaces::OTHER_CLIENT_ADDRESS.to_string(),
            force: "",
            client: format!("{} ", Namespaces::enter_client()),
            server: format!("{} ", Namespaces::enter_host()),
        }
    }

    /// The text.
    pub(super) fn hints(&self, demo: &Demo<'_>, edge: &Path, shield: bool) -> String {
        let Self {
            host,
            victim,
            force,
            client,
            server,
        } = self;
        let ca = Repo::shown(&demo.certificate.ca);
        let edge = Repo::shown(edge);
        let socket = demo.directory.join("admin.sock");
        let log = demo.directory.join("access.log");
        let (https, http, metrics) = (demo.ports.https, demo.ports.http, demo.ports.metrics);
        let effect = if shield {
            "the first call is answered, the second times out: its packets end in the kernel"
        } else {
            "the shield is off, so the kernel drops nothing and both calls are answered"
        };
        let call = format!("{client}curl -sS -4 -m 3 --interface {victim} --cacert {ca}");
        format!(
            "edge serves https://{host}:{https} (http://{host}:{http} redirects there).\n\
             An MCP client finds its server at https://{host}:{https}/mcp and trusts {ca}.\n\
             One line per request: tail -f {log}\n\
             \n\
             Try, in another terminal:\n\
             \n\
             1. Events as they are made, one a second:\n\
             \n    {client}curl -sSN --cacert {ca} https://{host}:{https}/sse\n\
             \n\
             2. What is counted:\n\
             \n    {server}curl -sS http://127.0.0.1:{metrics}/metrics\n\
             \n\
             3. A ban, and its effect ({effect}):\n\
             \n    {call} https://{host}:{https}/ ; \\\n      \
             {edge} ban {victim} --for 30s{force} --socket {socket} ; \\\n      \
             {call} https://{host}:{https}/\n\
             \n\
             Ctrl-C stops everything.\n",
            log = log.display(),
            socket = socket.display(),
        )
    }
}

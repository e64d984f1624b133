//! What a newcomer would try first, ready to paste. Plain values in, plain text out: the end-to-end tests
//! include this file and run what it says.

use std::path::Path;

/// A demonstration that runs, and how it is reached.
#[derive(Debug)]
pub(crate) struct Hints<'a> {
    /// The name or address to call.
    pub(crate) host: &'a str,
    /// A second address of the client, to be banned.
    pub(crate) victim: &'a str,
    /// It is an address of this machine, which nobody bans by accident.
    pub(crate) victim_is_here: bool,
    /// What to put before a client's command, with a blank, or nothing.
    pub(crate) client: &'a str,
    /// What to put before a command on the host.
    pub(crate) server: &'a str,
    /// The certificate that clients trust.
    pub(crate) ca: &'a str,
    /// The program.
    pub(crate) edge: &'a str,
    /// Its admin socket.
    pub(crate) socket: &'a Path,
    /// Its access log.
    pub(crate) log: &'a Path,
    /// Its ports: of HTTPS, of plain HTTP, of the metrics page.
    pub(crate) ports: [u16; 3],
    /// Whether the kernel drops what is banned.
    pub(crate) shield: bool,
}

/// Something to try.
#[derive(Debug)]
pub(crate) struct Try {
    /// What it shows.
    pub(crate) shows: String,
    /// For a shell.
    pub(crate) command: String,
}

impl Hints<'_> {
    /// What to try: a stream of events, the metrics page, a ban between two calls.
    pub(crate) fn tries(&self) -> [Try; 3] {
        let Self {
            host,
            victim,
            client,
            server,
            ca,
            edge,
            ..
        } = self;
        let [https, _, metrics] = self.ports;
        let socket = self.socket.display();
        let force = if self.victim_is_here { " --force" } else { "" };
        let effect = if self.shield {
            "the first call is answered, the second times out: its packets end in the kernel"
        } else {
            "the shield is off, so the kernel drops nothing and both calls are answered"
        };
        let call = format!(
            "{client}curl -sS -4 -m 3 --interface {victim} --cacert {ca} https://{host}:{https}/"
        );
        [
            Try {
                shows: "Events as they are made, one a second".to_owned(),
                command: format!("{client}curl -sSN --cacert {ca} https://{host}:{https}/sse"),
            },
            Try {
                shows: "What is counted".to_owned(),
                command: format!("{server}curl -sS http://127.0.0.1:{metrics}/metrics"),
            },
            Try {
                shows: format!("A ban, and its effect ({effect})"),
                command: format!(
                    "{call} ; \\\n      {edge} ban {victim} --for 30s{force} --socket {socket} ; \\\n      {call}"
                ),
            },
        ]
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        let Self { host, ca, .. } = self;
        let [https, http, _] = self.ports;
        let log = self.log.display();
        let tries: String = (1..)
            .zip(self.tries())
            .map(|(number, Try { shows, command })| {
                format!("{number}. {shows}:\n\n    {command}\n\n")
            })
            .collect();
        format!(
            "edge serves https://{host}:{https} (http://{host}:{http} redirects there).\n\
             An MCP client finds its server at https://{host}:{https}/mcp and trusts {ca}.\n\
             One line per request: tail -f {log}\n\n\
             Try, in another terminal:\n\n\
             {tries}Ctrl-C stops everything.\n"
        )
    }
}

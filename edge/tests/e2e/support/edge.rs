//! `edge` itself: a configuration with the tests' defaults, the running program, its log and its end.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::bins;
use super::certs::Authority;
use super::client::{ALPN_H1, Client};
use super::metrics::Metrics;
use super::netns;
use super::pin::Pin;
use super::process::Process;
use super::system::{free_port, wait_until};

/// How long `edge` may take to be ready: a BPF program may have to be verified first.
const START: Duration = Duration::from_secs(10);

/// A configuration in the making: one host `localhost` with one route `/`, shield and limit off.
pub(crate) struct Setup {
    /// Holds configuration, certificates, log and admin socket.
    pub(crate) dir: TempDir,
    pub(crate) authority: Authority,
    top: String,
    netns: Option<String>,
    https: SocketAddr,
    http: SocketAddr,
    metrics: SocketAddr,
    listen: String,
    route: String,
    upstream: String,
    sections: BTreeMap<String, String>,
    routes: String,
    hosts: String,
    /// Where the shield outlives the program, and goes with the test.
    pub(crate) pin: Pin,
}

impl Setup {
    /// Proxies everything to `server`, which is an address or `unix:PATH`.
    pub(crate) fn new(server: impl Display) -> Setup {
        let dir = tempfile::Builder::new()
            .prefix("edge-e2e-")
            .tempdir()
            .expect("a temporary directory");
        // The program gives up root: it must still reach its files.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(dir.path(), open).expect("we own it");
        let authority = Authority::new();
        authority.leaf(dir.path(), "localhost", &["localhost"]);
        authority.write_to(&dir.path().join("ca.pem"));
        let loopback = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let mut setup = Setup {
            top: "workers = 1".to_owned(),
            netns: None,
            https: loopback(free_port()),
            http: loopback(free_port()),
            metrics: loopback(free_port()),
            listen: "redirect = false".to_owned(),
            route: String::new(),
            upstream: format!("servers = [\"{server}\"]\n"),
            sections: BTreeMap::new(),
            routes: String::new(),
            hosts: String::new(),
            pin: Pin::new(),
            authority,
            dir,
        };
        let path = |name| setup.dir.path().join(name).display().to_string();
        let (log, admin, metrics) = (path("access.log"), path("admin.sock"), setup.metrics);
        for (section, body) in [
            ("limit", "requests = \"off\"".to_owned()),
            ("shield", "mode = \"off\"".to_owned()),
            ("timeouts", "drain = \"1s\"".to_owned()),
            ("log", format!("access = \"{log}\"")),
            ("admin", format!("socket = \"{admin}\"")),
            ("metrics", format!("listen = \"{metrics}\"")),
        ] {
            setup = setup.section(section, &body);
        }
        setup
    }

    /// Replaces a section's body.
    pub(crate) fn section(mut self, name: &str, body: &str) -> Setup {
        self.sections.insert(name.to_owned(), body.to_owned());
        self
    }

    /// Replaces the keys above the first section.
    pub(crate) fn top(mut self, keys: &str) -> Setup {
        keys.clone_into(&mut self.top);
        self
    }

    /// Adds keys to the route.
    pub(crate) fn route(mut self, keys: &str) -> Setup {
        keys.clone_into(&mut self.route);
        self
    }

    /// Replaces the keys of the upstream.
    pub(crate) fn upstream(mut self, keys: &str) -> Setup {
        self.upstream = format!("{keys}\n");
        self
    }

    /// Replaces `redirect = false`.
    pub(crate) fn listen(mut self, keys: &str) -> Setup {
        keys.clone_into(&mut self.listen);
        self
    }

    /// Adds `[[host.route]]` tables to the first host.
    pub(crate) fn more_routes(mut self, tables: &str) -> Setup {
        self.routes.push_str(tables);
        self
    }

    /// Adds whole `[[host]]` tables.
    pub(crate) fn hosts(mut self, tables: &str) -> Setup {
        self.hosts.push_str(tables);
        self
    }

    /// Replaces the address of the TLS listener.
    pub(crate) fn https_at(mut self, address: SocketAddr) -> Setup {
        self.https = address;
        self
    }

    /// Replaces the address of the plain listener.
    pub(crate) fn http_at(mut self, address: SocketAddr) -> Setup {
        self.http = address;
        self
    }

    /// Runs in a network namespace, listening on 443 and 80 of `address`.
    pub(crate) fn inside(mut self, netns: &str, address: impl Into<IpAddr>) -> Setup {
        let address = address.into();
        self.netns = Some(netns.to_owned());
        self.https = SocketAddr::new(address, 443);
        self.http = SocketAddr::new(address, 80);
        self
    }

    /// The configuration as text.
    pub(crate) fn render(&self) -> String {
        let Setup {
            top,
            https,
            http,
            listen,
            route,
            upstream,
            routes,
            hosts,
            ..
        } = self;
        let sections: String = self
            .sections
            .iter()
            .map(|(name, body)| match &**name {
                "shield" => format!("[{name}]\n{body}\npin = \"{}\"\n\n", self.pin),
                _ => format!("[{name}]\n{body}\n\n"),
            })
            .collect();
        format!(
            "{top}\n\n[listen]\nhttps = [\"{https}\"]\nhttp = [\"{http}\"]\n{listen}\n\n\
             [[host]]\nnames = [\"localhost\"]\n\
             certificate = \"localhost.pem\"\nkey = \"localhost.key\"\n\n\
             [[host.route]]\npath = \"/\"\nupstream = \"origin\"\n{route}\n\n{routes}{hosts}\n\
             [upstream.origin]\n{upstream}\n{sections}"
        )
    }

    /// Writes the configuration and returns its path.
    pub(crate) fn write(&self) -> PathBuf {
        let path = self.dir.path().join("edge.toml");
        std::fs::write(&path, self.render()).expect("our own directory is writable");
        path
    }

    /// The command that runs it.
    pub(crate) fn command(&self) -> Command {
        let mut command = netns::command(self.netns.as_deref(), &bins::edge());
        command.arg("run").arg("--config").arg(self.write());
        command
    }

    /// Runs it where it must fail: exit code, standard output, standard error.
    pub(crate) fn run_to_exit(&self) -> (i32, String, String) {
        Process::run("edge", self.command(), START)
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start(self) -> Edge {
        let command = self.command();
        self.start_as(command)
    }

    /// Starts it with a command of the test's own and waits until it is ready.
    pub(crate) fn start_as(self, command: Command) -> Edge {
        let mut process = Process::start("edge", command);
        process.wait_for("ready", START);
        Edge {
            https: self.https,
            http: self.http,
            process,
            setup: self,
        }
    }
}

/// The running program. Dropping it stops it and fails the test if it does not stop well.
pub(crate) struct Edge {
    pub(crate) https: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) process: Process,
    setup: Setup,
}

impl Edge {
    /// The port of the metrics page.
    pub(crate) fn metrics_port(&self) -> u16 {
        self.setup.metrics.port()
    }

    /// A plain HTTP/1.1 connection.
    pub(crate) fn plain(&self) -> Client {
        Client::plain(self.http)
    }

    /// A TLS connection that offers HTTP/1.1 only.
    pub(crate) fn tls(&self) -> Client {
        Client::tls(self.https, "localhost", &self.authority().roots(), ALPN_H1)
    }

    /// The authority that signed its certificate.
    pub(crate) fn authority(&self) -> &Authority {
        &self.setup.authority
    }

    /// A file in the directory of this run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// The directory of this run.
    pub(crate) fn dir(&self) -> &Path {
        self.setup.dir.path()
    }

    /// The base URL over TLS.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.https.port())
    }

    /// The metrics page as it is now.
    pub(crate) fn metrics(&self) -> Metrics {
        let address = self.setup.metrics;
        match self.setup.netns.clone() {
            Some(netns) => netns::inside(&netns, move || Metrics::read(address)),
            None => Metrics::read(address),
        }
    }

    /// The first access-log line that satisfies `wanted`; lines may come a moment after the answer.
    pub(crate) fn log_line(
        &self,
        wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let mut found = None;
        wait_until(Duration::from_secs(3), || {
            let text = std::fs::read_to_string(self.file("access.log")).unwrap_or_default();
            // The last line may be half written.
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let mut lines = whole.lines().map(|line| {
                serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("{error} in log line {line}"))
            });
            found = lines.find(|line| wanted(line));
            found.is_some()
        });
        found.unwrap_or_else(|| {
            let log = std::fs::read_to_string(self.file("access.log")).unwrap_or_default();
            panic!(
                "no such line in the access log:\n{log}\n{}",
                self.process.output()
            )
        })
    }

    /// Runs `edge COMMAND ARGUMENTS... --socket PATH`: exit code and both outputs.
    pub(crate) fn command(&self, arguments: &[&str]) -> (i32, String) {
        self.command_from(arguments, None)
    }

    /// The same for somebody who is logged in over SSH from an address.
    pub(crate) fn command_from(&self, arguments: &[&str], ssh: Option<IpAddr>) -> (i32, String) {
        let mut command = Command::new(bins::edge());
        command
            .env_remove("SSH_CONNECTION")
            .env_remove("SSH_CLIENT");
        if let Some(client) = ssh {
            command.env("SSH_CONNECTION", format!("{client} 50000 192.0.2.1 22"));
        }
        command
            .args(arguments)
            .arg("--socket")
            .arg(self.file("admin.sock"));
        let (code, stdout, stderr) = Process::run("edge", command, Duration::from_secs(5));
        (code, stdout + &stderr)
    }

    /// Starts it once more, with the same configuration, after it has ended.
    pub(crate) fn start_again(&mut self) {
        self.process = Process::start("edge", self.setup.command());
        self.process.wait_for("ready", START);
    }

    /// Changes the configuration for the next start.
    pub(crate) fn change(&mut self, section: &str, body: &str) {
        self.setup
            .sections
            .insert(section.to_owned(), body.to_owned());
    }

    /// The directory in which its shield is pinned.
    pub(crate) fn pin(&self) -> &Pin {
        &self.setup.pin
    }

    /// Writes another configuration in place of the running one.
    pub(crate) fn rewrite(&self, text: &str) {
        std::fs::write(self.file("edge.toml"), text).expect("our own directory is writable");
    }

    /// The configuration as it was at the start.
    pub(crate) fn config(&self) -> String {
        self.setup.render()
    }

    /// Has it read its configuration anew; fails if that is refused.
    pub(crate) fn reload(&self) {
        let (code, output) = self.command(&["reload"]);
        assert_eq!(code, 0, "{output}\n{}", self.process.output());
    }

    /// Fails unless the process runs and has never panicked.
    pub(crate) fn assert_healthy(&mut self) {
        assert!(
            self.process.is_running(),
            "edge has exited\n{}",
            self.process.output()
        );
        let stderr = self.process.stderr();
        assert!(!stderr.contains("panicked"), "edge panicked\n{stderr}");
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.process.output());
            return;
        }
        if self.process.is_running() {
            self.assert_healthy();
            self.process.signal(Signal::SIGTERM);
        }
        let status = self.process.wait(Duration::from_secs(8));
        assert!(
            status.success(),
            "edge ended with {status}\n{}",
            self.process.output()
        );
    }
}

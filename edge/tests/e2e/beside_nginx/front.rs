//! nginx and edge with the same configuration, each on addresses of its own with the usual ports.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Authority, Process, edge_binary, nginx_command, wait_until};

const PATIENCE: Duration = Duration::from_secs(10);

/// Which program, and how it came by its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    /// edge with the TOML that somebody has written.
    Written,
    /// edge with the TOML that `edge import nginx` has made.
    Imported,
}

/// A running program.
pub(super) struct Front {
    pub(super) http: SocketAddr,
    pub(super) https: SocketAddr,
    pub(super) process: Process,
}

/// What the three need: one directory with certificates and configurations.
pub(super) struct Scene {
    pub(super) dir: tempfile::TempDir,
    pub(super) server: Authority,
    pub(super) clients: Authority,
    name: &'static str,
    changes: Vec<(&'static str, String)>,
}

impl Scene {
    /// `changes` are made to every configuration: what a test cannot wait for.
    pub(super) fn new(
        name: &'static str,
        origin: SocketAddr,
        changes: &[(&'static str, &str)],
    ) -> Scene {
        let dir = tempfile::Builder::new()
            .prefix("edge-nginx-")
            .tempdir()
            .expect("a temporary directory");
        // The programs give up root: they must still reach their files.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(dir.path(), open).expect("we own it");
        let (server, clients) = (Authority::new(), Authority::new());
        server.leaf(dir.path(), "server", &["mcp.example.com"]);
        clients.write_to(&dir.path().join("clients.pem"));
        write(
            &dir.path().join("options.conf"),
            "ssl_protocols TLSv1.2 TLSv1.3;\nssl_prefer_server_ciphers off;\nssl_session_tickets off;\n",
        );
        let mut command = Command::new("openssl");
        command
            .args(["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt"])
            .args(["group:ffdhe2048", "-out"])
            .arg(dir.path().join("dh.pem"));
        let (code, out, err) = Process::run("openssl", command, PATIENCE);
        assert_eq!(code, 0, "{out}{err}");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let mut all = vec![
            (
                "/etc/letsencrypt/live/mcp.example.com/fullchain.pem",
                path("server.pem"),
            ),
            (
                "/etc/letsencrypt/live/mcp.example.com/privkey.pem",
                path("server.key"),
            ),
            (
                "/etc/letsencrypt/options-ssl-nginx.conf",
                path("options.conf"),
            ),
            ("/etc/letsencrypt/ssl-dhparams.pem", path("dh.pem")),
            ("/etc/nginx/trusted_clients.pem", path("clients.pem")),
            ("127.0.0.1:3000", origin.to_string()),
            ("127.0.0.1:8000", origin.to_string()),
        ];
        all.extend(changes.iter().map(|(from, to)| (*from, (*to).to_owned())));
        Scene {
            dir,
            server,
            clients,
            name,
            changes: all,
        }
    }

    pub(super) fn start(&self, kind: Kind) -> Front {
        let ip = address(kind);
        match kind {
            Kind::Nginx => self.nginx(ip),
            Kind::Written => {
                let text = self.text("toml", ip);
                let text = text.replace("0.0.0.0:", &format!("{ip}:"));
                self.edge(kind, ip, &text)
            }
            Kind::Imported => {
                let file = self.dir.path().join("imported.conf");
                write(&file, &self.text("conf", ip));
                let mut command = Command::new(edge_binary());
                command.args(["import", "nginx"]).arg(&file);
                let (code, toml, said) = Process::run("edge import", command, PATIENCE);
                assert_eq!(code, 0, "{said}");
                self.edge(kind, ip, &toml)
            }
        }
    }

    /// A configuration of this scene for listening on `ip`.
    fn text(&self, kind: &str, ip: Ipv4Addr) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/nginx")
            .join(format!("{}.{kind}", self.name));
        let mut text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for (from, to) in &self.changes {
            text = text.replace(from, to);
        }
        text = text.replace(
            "/var/cache/nginx",
            &self.dir.path().join("cache").display().to_string(),
        );
        let logs = self.dir.path().join(ip.to_string()).display().to_string();
        text.replace("/var/log/nginx/", &format!("{logs}-"))
            .replace("listen 80", &format!("listen {ip}:80"))
            .replace("listen 443", &format!("listen {ip}:443"))
    }

    fn nginx(&self, ip: Ipv4Addr) -> Front {
        let mut text = self.text("conf", ip);
        // Debian's nginx speaks no HTTP/3, and asks no authority about its clients here.
        for newer in ["quic", "http3", "ssl_ocsp", "resolver"] {
            text = text
                .lines()
                .filter(|line| !line.contains(newer))
                .map(|line| format!("{line}\n"))
                .collect();
        }
        if !text.contains("http {") {
            text = format!(
                "events {{}}\nhttp {{\nlog_format json escape=json '{{\"status\":$status}}';\n{text}}}\n"
            );
        }
        // Workers would outlive their master, which is killed with the test.
        text.insert_str(0, "master_process off;\n");
        let (file, dir) = (self.dir.path().join("nginx.conf"), self.dir.path());
        write(&file, &text);
        self.running(ip, Process::start("nginx", nginx_command(dir, &file)))
    }

    fn edge(&self, kind: Kind, ip: Ipv4Addr, toml: &str) -> Front {
        let (dir, name) = (self.dir.path(), format!("{kind:?}"));
        let mut text = format!(
            "{toml}\n[shield]\nmode = \"off\"\n[metrics]\nlisten = \"off\"\n\
             [admin]\nsocket = \"{}\"\n",
            dir.join(format!("{name}.sock")).display()
        );
        if !text.contains("[log]") {
            text.push_str("[log]\naccess = \"off\"\n");
        }
        let file = dir.join(format!("{name}.toml"));
        write(&file, &text);
        let mut check = Command::new(edge_binary());
        check.arg("check").arg(&file);
        let (code, out, err) = Process::run("edge check", check, PATIENCE);
        assert_eq!(code, 0, "{out}{err}\n{text}");
        let mut command = Command::new(edge_binary());
        command.arg("run").arg("--config").arg(&file);
        let mut process = Process::start("edge", command);
        process.wait_for("ready", PATIENCE);
        self.running(ip, process)
    }

    fn running(&self, ip: Ipv4Addr, mut process: Process) -> Front {
        let https = SocketAddr::from((ip, 443));
        let listens = wait_until(PATIENCE, || {
            TcpStream::connect(https).is_ok() || !process.is_running()
        });
        let error_log = self.dir.path().join("nginx-error.log");
        assert!(
            listens && process.is_running(),
            "{}\n{}",
            process.output(),
            std::fs::read_to_string(error_log).unwrap_or_default()
        );
        Front {
            http: (ip, 80).into(),
            https,
            process,
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if self.process.is_running() {
            // nginx's workers end with their master, which a kill would orphan.
            self.process.signal(Signal::SIGTERM);
            self.process.wait(PATIENCE);
        }
    }
}

/// An address of the loopback network that no other run of the tests has.
fn address(kind: Kind) -> Ipv4Addr {
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let last = NEXT.fetch_add(1, Relaxed);
    assert!(last < 250, "{kind:?}: too many for one run");
    Ipv4Addr::new(127, 64 | (high & 0x3f), low, last)
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

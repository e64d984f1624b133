//! Certificates of clients, and what else the TLS of a host can be told: real curl and OpenSSL.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::cache::origin::{Origin, ok};
use crate::http3::h3_answers;
use crate::support::{Authority, Edge, Process, Setup, Upstream, light, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

/// Three hosts: `localhost` asks for nothing, `guarded.test` requires, `optional.test` asks.
struct Scene {
    edge: Edge,
    upstream: Upstream,
    clients: Authority,
    revoked: u64,
}

impl Scene {
    fn new() -> Scene {
        let upstream = Upstream::ok();
        let setup = Setup::new(upstream.address);
        let dir = setup.dir.path();
        let clients = Authority::new();
        clients.write_to(&dir.join("clients.pem"));
        clients.leaf(dir, "alice", &["alice.test"]);
        let revoked = clients.leaf(dir, "mallory", &["mallory.test"]).serial;
        clients.revoke(&dir.join("revoked.pem"), &[]);
        Authority::new().leaf(dir, "stranger", &["stranger.test"]);
        let mut hosts = String::new();
        for (name, wanted) in [("guarded", "required"), ("optional", "optional")] {
            setup.authority.leaf(dir, name, &[&format!("{name}.test")]);
            hosts.push_str(&format!(
                "[[host]]\nnames = [\"{name}.test\"]\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\n\
                 client_ca = \"clients.pem\"\nclient_certificate = \"{wanted}\"\nclient_crl = \"revoked.pem\"\n\
                 [[host.route]]\nupstream = \"http://{}\"\n",
                upstream.address
            ));
        }
        let edge = setup.hosts(&hosts).start();
        Scene {
            edge,
            upstream,
            clients,
            revoked,
        }
    }

    /// The status of a request over TLS to `name`; 0 when there was no answer.
    fn status(&self, name: &str, client: Option<&str>, more: &[&str]) -> u16 {
        let port = self.edge.https.port();
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--max-time", "5", "--output", "/dev/null"])
            .args(["--write-out", "%{http_code}"])
            .args(["--resolve", &format!("{name}:{port}:127.0.0.1")])
            .arg("--cacert")
            .arg(self.edge.file("ca.pem"));
        if let Some(client) = client {
            command
                .arg("--cert")
                .arg(self.edge.file(&format!("{client}.pem")));
            command
                .arg("--key")
                .arg(self.edge.file(&format!("{client}.key")));
        }
        command.args(more).arg(format!("https://{name}:{port}/"));
        let (_, stdout, stderr) = Process::run("curl", command, Duration::from_secs(10));
        stdout
            .parse()
            .unwrap_or_else(|_| panic!("{stdout}{stderr}"))
    }
}

#[test]
fn a_host_is_open_to_those_whose_certificate_its_authority_signed() {
    let _machine = light();
    let scene = Scene::new();
    assert_eq!(scene.status("guarded.test", Some("alice"), &[]), 200);
    assert_eq!(
        scene.status("guarded.test", Some("alice"), &["--http1.1"]),
        200
    );
    assert_eq!(
        scene.status("guarded.test", Some("alice"), &["--tls-max", "1.2"]),
        200
    );
    assert_eq!(scene.status("guarded.test", Some("mallory"), &[]), 200);
    assert_eq!(scene.status("guarded.test", None, &[]), 0);
    assert_eq!(scene.status("guarded.test", None, &["--tls-max", "1.2"]), 0);
    assert_eq!(scene.status("guarded.test", Some("stranger"), &[]), 0);
    assert_eq!(scene.status("optional.test", Some("alice"), &[]), 200);
    assert_eq!(scene.status("optional.test", None, &[]), 200);
    assert_eq!(scene.status("optional.test", Some("stranger"), &[]), 0);
    assert_eq!(scene.status("localhost", None, &[]), 200);

    // What has been revoked is refused from the next connection on.
    scene
        .clients
        .revoke(&scene.edge.file("revoked.pem"), &[scene.revoked]);
    scene.edge.reload();
    assert_eq!(scene.status("guarded.test", Some("mallory"), &[]), 0);
    assert_eq!(scene.status("guarded.test", Some("alice"), &[]), 200);

    // A list that has ended says nothing about anybody; files are read anew when they change.
    let list = scene.edge.file("revoked.pem");
    scene.clients.revoke_until(&list, &[scene.revoked], 2025);
    let refused = || scene.status("guarded.test", Some("alice"), &[]) == 0;
    assert!(wait_until(LIMIT, refused));
    scene.clients.revoke(&list, &[scene.revoked]);
    assert!(wait_until(LIMIT, || !refused()));
    assert_eq!(scene.status("guarded.test", Some("mallory"), &[]), 0);
}

#[test]
fn upstreams_are_told_who_it_is_and_nobody_else_can_tell_them() {
    let _machine = light();
    let scene = Scene::new();
    let forged = [
        "-H",
        "Client-Cert: :Zm9yZ2Vk:",
        "-H",
        "X-Client-Cert-Subject: CN=forged",
        "-H",
        "x_client_cert_san: DNS:forged.test",
        "--http1.1",
    ];
    assert_eq!(scene.status("guarded.test", Some("alice"), &forged), 200);
    let received = scene.upstream.received().to_lowercase();
    assert!(received.contains("\r\nclient-cert: :miib"), "{received}");
    assert!(
        received.contains("\r\nx-client-cert-subject: cn=alice\r\n"),
        "{received}"
    );
    assert!(
        received.contains("\r\nx-client-cert-san: dns:alice.test\r\n"),
        "{received}"
    );
    assert!(
        !received.contains("forged") && !received.contains("zm9y"),
        "{received}"
    );

    let before = scene.upstream.received().len();
    assert_eq!(scene.status("optional.test", None, &forged), 200);
    assert_eq!(scene.status("localhost", None, &forged), 200);
    let received = scene.upstream.received()[before..].to_lowercase();
    assert!(
        !received.contains("client-cert") && !received.contains("client_cert"),
        "{received}"
    );
}

#[test]
fn a_certificate_counts_for_the_host_it_was_shown_to() {
    let _machine = light();
    let scene = Scene::new();
    let host = |name: &str| format!("Host: {name}");
    for version in ["--http1.1", "--http2"] {
        let ask =
            |sni, client, name: &str| scene.status(sni, client, &[version, "-H", &host(name)]);
        assert_eq!(ask("localhost", None, "guarded.test"), 421);
        assert_eq!(ask("localhost", Some("alice"), "guarded.test"), 421);
        assert_eq!(ask("optional.test", None, "guarded.test"), 421);
        assert_eq!(ask("guarded.test", Some("alice"), "optional.test"), 421);
        assert_eq!(ask("guarded.test", Some("alice"), "localhost"), 421);
        assert_eq!(ask("guarded.test", Some("alice"), "guarded.test"), 200);
    }
    // Certificates of clients are not asked for over QUIC.
    let wanted = json!([
        ["/", [["host", "guarded.test"]]],
        ["/", [["host", "localhost"]]]
    ]);
    let answers = h3_answers(&scene.edge, &wanted);
    let statuses: Vec<_> = answers.iter().map(|answer| &answer["status"]).collect();
    assert_eq!(statuses, [421, 200]);
    let plain = scene
        .edge
        .plain()
        .exchange("GET / HTTP/1.1\r\nHost: guarded.test\r\n\r\n");
    assert_eq!(plain.status, 421);
    assert!(
        !scene
            .upstream
            .received()
            .contains("host: guarded.test\r\nx-forwarded-proto: http\r\n")
    );
}

/// What was made for whoever showed a certificate is for nobody else, unless the upstream says so.
#[test]
fn answers_to_certificates_are_stored_for_nobody_else() {
    let _machine = light();
    let origin = Origin::start(|head, number| {
        let fields = match head.starts_with("GET /public") {
            true => "Cache-Control: public, max-age=60\r\n",
            false => "Cache-Control: max-age=60\r\n",
        };
        (Duration::ZERO, ok(fields, &number.to_string()))
    });
    let setup = Setup::new(origin.address);
    let dir = setup.dir.path();
    let clients = Authority::new();
    clients.write_to(&dir.join("clients.pem"));
    clients.leaf(dir, "alice", &["alice.test"]);
    clients.leaf(dir, "bob", &["bob.test"]);
    setup.authority.leaf(dir, "optional", &["optional.test"]);
    let host = "[[host]]\nnames = [\"optional.test\"]\ncertificate = \"optional.pem\"\n\
                key = \"optional.key\"\nclient_ca = \"clients.pem\"\nclient_certificate = \"optional\"\n\
                [[host.route]]\nupstream = \"origin\"\ncache = true\n";
    let edge = setup.hosts(host).start();
    let ask = |client: Option<&str>, path: &str| {
        let port = edge.https.port();
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--max-time", "5"])
            .args(["--resolve", &format!("optional.test:{port}:127.0.0.1")])
            .arg("--cacert")
            .arg(edge.file("ca.pem"));
        for (option, ending) in [("--cert", "pem"), ("--key", "key")] {
            if let Some(client) = client {
                command
                    .arg(option)
                    .arg(edge.file(&format!("{client}.{ending}")));
            }
        }
        command.arg(format!("https://optional.test:{port}{path}"));
        let (_, stdout, _) = Process::run("curl", command, Duration::from_secs(10));
        stdout
    };
    let (alice, bob) = (Some("alice"), Some("bob"));
    let own = [alice, alice, bob, None, None].map(|client| ask(client, "/own"));
    assert_eq!(own, ["1", "2", "3", "4", "4"], "only nobody's is kept");
    let public = [alice, bob, None].map(|client| ask(client, "/public"));
    assert_eq!(public, ["5", "5", "5"], "it is for everybody");
}

fn s_client(edge: &Edge, arguments: &str) -> String {
    let script = format!(
        "openssl s_client -connect {} -servername localhost -CAfile {} {arguments} </dev/null",
        edge.https,
        edge.file("ca.pem").display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let (_, stdout, stderr) = Process::run("openssl", command, Duration::from_secs(10));
    stdout + &stderr
}

#[test]
fn old_versions_are_refused_when_told_so() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section("tls", "min_version = \"1.3\"")
        .start();
    let old = s_client(&edge, "-tls1_2");
    assert!(old.contains("alert protocol version"), "{old}");
    let new = s_client(&edge, "-tls1_3");
    assert!(new.contains("Verify return code: 0 (ok)"), "{new}");
    edge.rewrite(&edge.config().replace("min_version = \"1.3\"", ""));
    edge.reload();
    let old = s_client(&edge, "-tls1_2");
    assert!(old.contains("Verify return code: 0 (ok)"), "{old}");
}

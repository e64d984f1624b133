//! TLS to upstream servers: real nginx, with good certificates and bad ones.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::support::{Authority, Demo, Edge, H2, Nginx, Setup, free_port, light, wait_until};

const LIMIT: Duration = Duration::from_secs(10);

/// nginx with a server for each kind of certificate, all of them in front of the demo.
struct Servers {
    good: SocketAddr,
    other_name: SocketAddr,
    expired: SocketAddr,
    stranger: SocketAddr,
    wants_client: SocketAddr,
    _nginx: Nginx,
    demo: Demo,
}

impl Servers {
    /// `servers.pem` and `clients.pem` are the authorities; `client.pem` is a client.
    fn start(dir: &Path) -> Servers {
        let demo = Demo::start();
        let servers = Authority::new();
        servers.write_to(&dir.join("servers.pem"));
        servers.leaf(dir, "good", &["tools.test"]);
        servers.leaf(dir, "other_name", &["elsewhere.test"]);
        servers.leaf_until(dir, "expired", &["tools.test"], 2021);
        servers.leaf(dir, "wants_client", &["tools.test"]);
        Authority::new().leaf(dir, "stranger", &["tools.test"]);
        let clients = Authority::new();
        clients.write_to(&dir.join("clients.pem"));
        clients.leaf(dir, "client", &["edge.test"]);
        let mut text = "events {}\nhttp {\naccess_log off;\nclient_max_body_size 0;\n".to_owned();
        let mut server = |name: &str, more: &str| {
            let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
            text.push_str(&format!(
                "server {{\nlisten {address} ssl;\nssl_certificate {name}.pem;\n\
                 ssl_certificate_key {name}.key;\nssl_session_cache shared:all:1m;\nssl_protocols TLSv1.2 TLSv1.3;\n{more}\n\
                 location /about {{ return 200 \
                 \"$ssl_server_name $ssl_protocol $ssl_session_reused $connection $ssl_client_s_dn\\n\"; }}\n\
                 location / {{ proxy_pass http://{}; proxy_http_version 1.1; proxy_buffering off; \
                 proxy_request_buffering off; proxy_set_header Connection \"\"; \
                 proxy_set_header Host $host; }}\n}}\n",
                demo.address
            ));
            address
        };
        let good = server("good", "");
        let other_name = server("other_name", "");
        let expired = server("expired", "");
        let stranger = server("stranger", "");
        let wants_client = server(
            "wants_client",
            "ssl_client_certificate clients.pem;\nssl_verify_client on;",
        );
        text.push_str("}\n");
        let file = dir.join("nginx.conf");
        std::fs::write(&file, text).expect("our own directory is writable");
        let mut nginx = Nginx::start(dir, &file);
        let listens = wait_until(LIMIT, || TcpStream::connect(wants_client).is_ok());
        assert!(
            listens && nginx.process.is_running(),
            "{}\n{}",
            nginx.process.output(),
            std::fs::read_to_string(dir.join("nginx-error.log")).unwrap_or_default()
        );
        Servers {
            good,
            other_name,
            expired,
            stranger,
            wants_client,
            _nginx: nginx,
            demo,
        }
    }
}

fn upstream(name: &str, server: SocketAddr, more: &str) -> String {
    format!(
        "[upstream.{name}]\nservers = [\"https://{server}\"]\n[upstream.{name}.tls]\n\
         name = \"tools.test\"\n{more}\n"
    )
}

fn route(path: &str, upstream: &str) -> String {
    format!("[[host.route]]\npath = \"/{path}\"\nupstream = \"{upstream}\"\nstrip_prefix = true\n")
}

fn get(edge: &Edge, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let response = edge.tls().exchange(request);
    (response.status, response.text())
}

const CA: &str = "ca = \"servers.pem\"";

#[test]
fn servers_are_believed_or_not() {
    let _machine = light();
    let setup = Setup::new("127.0.0.1:1");
    let servers = Servers::start(setup.dir.path());
    let mut more = String::new();
    let mut routes = String::new();
    for (name, server, keys) in [
        ("name", servers.other_name, CA),
        ("expired", servers.expired, CA),
        ("stranger", servers.stranger, CA),
        // The machine's authorities know nothing of ours.
        ("machine", servers.good, ""),
        ("nobody", servers.wants_client, CA),
        ("plain", servers.demo.address, CA),
        ("insecure", servers.expired, "insecure = true"),
        (
            "client",
            servers.wants_client,
            "ca = \"servers.pem\"\ncertificate = \"client.pem\"\nkey = \"client.key\"",
        ),
    ] {
        more.push_str(&upstream(name, server, keys));
        routes.push_str(&route(name, name));
    }
    let good = servers.good;
    // One that nobody answers at, one that is not believed, and one that is.
    more.push_str(&format!(
        "[upstream.some]\nservers = [\"https://127.0.0.1:{}\", \"https://{}\", \"https://{good}\"]\n\
         policy = \"round_robin\"\neject_after = 1000\n[upstream.some.tls]\nname = \"tools.test\"\n{CA}\n",
        free_port(),
        servers.stranger,
    ));
    routes.push_str(&route("some", "some"));
    let edge = setup
        .upstream(&format!(
            "servers = [\"https://{good}\"]\n[upstream.origin.tls]\nname = \"tools.test\"\n{CA}"
        ))
        .more_routes(&routes)
        .hosts(&more)
        .start();

    // Nothing of a request has been sent where no connection was made: also a POST goes to the next.
    for _ in 0..6 {
        let post = "POST /some/about HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(edge.tls().exchange(post).status, 200);
    }

    let (status, text) = get(&edge, "/about");
    assert_eq!(status, 200, "{text}");
    assert!(text.starts_with("tools.test TLSv1.3 . "), "{text}");
    for (path, reason, said) in [
        ("name", "upstream_certificate_name", "elsewhere.test"),
        ("expired", "upstream_certificate_expired", "expired"),
        ("stranger", "upstream_certificate_untrusted", "BadSignature"),
        ("machine", "upstream_certificate_untrusted", "UnknownIssuer"),
        ("plain", "upstream_tls", "corrupt message"),
    ] {
        let (status, _) = get(&edge, &format!("/{path}/about"));
        assert_eq!(status, 502, "{path}");
        let line = edge.log_line(|line| line["path"] == format!("/{path}/about"));
        assert_eq!(line["error"], reason, "{path}");
        let stderr = edge.process.stderr();
        let told = stderr
            .lines()
            .any(|line| line.contains("TLS failed") && line.contains(said));
        assert!(told, "{path}: {said} is not in\n{stderr}");
    }
    // In TLS 1.3 it is nginx that says it, once it has read the request.
    assert_eq!(get(&edge, "/nobody/about").0, 400);
    let (status, text) = get(&edge, "/client/about");
    assert_eq!(status, 200, "{text}");
    assert!(text.trim_end().ends_with("CN=client"), "{text}");
    assert_eq!(get(&edge, "/insecure/about").0, 200);
}

#[test]
fn connections_are_kept_sessions_resumed_and_bodies_whole() {
    let _machine = light();
    let setup = Setup::new("127.0.0.1:1");
    let servers = Servers::start(setup.dir.path());
    let good = servers.good;
    let keys = format!(
        "{CA}\n[upstream.single]\nservers = [\"https://{good}\"]\nidle_max = 0\n[upstream.single.tls]\nname = \"tools.test\"\n{CA}"
    );
    let edge = setup
        .upstream(&format!(
            "servers = [\"https://{good}\"]\n[upstream.origin.tls]\nname = \"tools.test\"\n{keys}"
        ))
        .more_routes(&route("single", "single"))
        .start();
    let fields = |path: &str| -> Vec<String> {
        let (status, text) = get(&edge, path);
        assert_eq!(status, 200, "{text}");
        text.split_whitespace().map(str::to_owned).collect()
    };
    let (first, second) = (fields("/about"), fields("/about"));
    assert_eq!(first[3], second[3], "the same connection");
    let (first, second) = (fields("/single/about"), fields("/single/about"));
    assert_ne!(first[3], second[3], "another connection");
    assert_eq!(second[2], "r", "the same session");

    let body: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    let chunked = edge.tls().exchange(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\n\r\n",
    );
    assert_eq!((chunked.status, &*chunked.body), (200, &b"hello"[..]));
    // The echo comes back while the rest is on its way.
    let mut h2 = H2::connect(edge.https, edge.authority());
    let echoed = h2.post("/echo", &[], &body);
    assert_eq!((echoed.status, echoed.body == body), (200, true));
    // Many at once over as many connections.
    let answers = h2.all(&["/about"; 100]);
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().is_ok_and(|a| a.status == 200))
    );

    // Events come one by one.
    let mut client = edge.tls();
    client.send("GET /sse?interval_ms=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.read_until("\"seq\":0", LIMIT);
}

#[test]
fn health_is_asked_over_tls() {
    let _machine = light();
    let setup = Setup::new("127.0.0.1:1");
    let servers = Servers::start(setup.dir.path());
    let check = |name: &str| {
        format!(
            "[upstream.{name}.check]\npath = \"/about\"\ninterval = \"100ms\"\nhealthy = 1\nunhealthy = 1\n"
        )
    };
    let more = upstream("bad", servers.expired, CA) + &check("bad");
    let good = servers.good;
    let edge = setup
        .upstream(&format!(
            "servers = [\"https://{good}\"]\n[upstream.origin.tls]\nname = \"tools.test\"\n{CA}\n{}",
            check("origin")
        ))
        .more_routes(&route("bad", "bad"))
        .hosts(&more)
        .start();
    let up = |name: &str| {
        let label = format!("upstream=\"{name}\"");
        edge.metrics().sum("edge_server_up", &[&label])
    };
    let judged = wait_until(LIMIT, || {
        up("bad") == 0.0 && up("origin") == 1.0 && edge.process.stderr().contains("is down")
    });
    assert!(judged, "{}", edge.process.output());
    assert!(edge.process.stderr().contains("expired"));
}

#[test]
fn files_that_change_are_taken_over_without_a_reload() {
    let _machine = light();
    let setup = Setup::new("127.0.0.1:1");
    let dir = setup.dir.path().to_owned();
    let servers = Servers::start(&dir);
    // Neither the authority nor the certificate is right yet, and only root may read them.
    let stranger = Authority::new();
    stranger.write_to(&dir.join("trusted.pem"));
    stranger.leaf(&dir, "shown", &["edge.test"]);
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(dir.join("shown.key"), closed).expect("our own file");
    let files = "ca = \"trusted.pem\"\ncertificate = \"shown.pem\"\nkey = \"shown.key\"";
    let mut edge = setup
        .more_routes(&(route("mine", "mine") + &route("same", "same")))
        .hosts(
            &(upstream("mine", servers.wants_client, files) + &upstream("same", servers.good, CA)),
        )
        .start();
    assert_eq!(get(&edge, "/mine/about").0, 502);
    let connection = |edge: &Edge| {
        let (status, text) = get(edge, "/same/about");
        assert_eq!(status, 200, "{text}");
        text.split(' ').nth(3).expect("a number").to_owned()
    };
    let before = connection(&edge);
    let copy = |from: &str, to: &str| {
        std::fs::copy(dir.join(from), dir.join(to)).expect("our own files");
    };
    copy("servers.pem", "trusted.pem");
    copy("client.pem", "shown.pem");
    // The certificate without its key: what was there stays.
    edge.process
        .wait_for("changed file cannot be used", LIMIT * 3);
    copy("client.key", "shown.key");
    edge.process
        .wait_for("certificates for upstreams renewed", LIMIT * 3);
    let served = || get(&edge, "/mine/about").0 == 200;
    assert!(wait_until(LIMIT * 3, served), "{}", edge.process.output());
    assert_eq!(connection(&edge), before, "what has not changed goes on");
}

#[test]
fn files_that_cannot_be_used_are_errors_with_their_line() {
    let _machine = light();
    let start = |keys: &str| {
        let setup = Setup::new("127.0.0.1:1");
        let dir = setup.dir.path().to_owned();
        Authority::new().leaf(&dir, "one", &["a.test"]);
        Authority::new().leaf(&dir, "two", &["b.test"]);
        std::fs::write(dir.join("empty.pem"), "").expect("our own directory is writable");
        let setup = setup.upstream(&format!(
            "servers = [\"https://127.0.0.1:1\"]\n[upstream.origin.tls]\n{keys}"
        ));
        let (code, _, stderr) = setup.run_to_exit();
        assert_eq!(code, 2, "{stderr}");
        stderr
    };
    for (keys, said) in [
        ("ca = \"gone.pem\"", "gone.pem cannot be read"),
        ("ca = \"empty.pem\"", "holds no certificate in PEM form"),
        ("ca = \"one.key\"", "holds no certificate in PEM form"),
        (
            "certificate = \"one.pem\"\nkey = \"one.pem\"",
            "holds no private key",
        ),
        (
            "certificate = \"one.pem\"\nkey = \"two.key\"",
            "cannot be used with its key",
        ),
    ] {
        let stderr = start(keys);
        assert!(stderr.contains(said), "{said} is not in\n{stderr}");
        assert!(stderr.contains("edge.toml:"), "{stderr}");
    }
}

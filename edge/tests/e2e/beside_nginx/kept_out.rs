//! Whomever nginx keeps out, the configuration that is made of its own keeps out too: with what has a
//! counterpart in the same way, with everything else by letting nobody in.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::cache::origin::{Origin, ok};
use crate::support::{Client, Nginx, Process, edge_binary, free_port, light, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// `ADDR` is where it listens, `PASS` passes requests on, `DIR` is a directory of its own.
const CONF: &str = r#"
geo $outside { default 1; 192.0.2.0/24 0; }
map $http_x_key $key_ok { default 0; "s3cret" 1; }
server { listen ADDR default_server; return 444; }
server {
  listen ADDR; server_name a.example;
  location / { proxy_set_header X-User $ssl_client_fingerprint; PASS }
  location /basic { auth_basic "x"; auth_basic_user_file DIR/users; PASS }
  location /basic-not { PASS }
  location /asked { auth_request /verify; PASS }
  location = /verify { internal; return 403; }
  location /deny { deny all; PASS }
  location /late { deny all; allow 127.0.0.0/8; PASS }
  location /nets { allow 192.0.2.0/24; deny all; PASS location /nets/inner { PASS } }
  location /own { deny 192.0.2.0/24; PASS }
  location /unix { allow unix:; deny all; PASS }
  location /read { limit_except GET { deny all; } PASS }
  location /write { limit_except GET { allow 192.0.2.1; deny all; } PASS }
  location /key { if ($http_x_key != "s3cret") { return 403; } PASS }
  location /mapped { if ($key_ok = 0) { return 403; } PASS }
  location /geo { if ($outside) { return 403; } PASS }
  location /linked { valid_referers server_names; if ($invalid_referer) { return 403; } PASS }
  location /signed { secure_link $arg_md5; secure_link_md5 "x$uri"; if ($secure_link = "") { return 403; } PASS }
  location /login { if ($cookie_s = "") { return 302 /elsewhere; } PASS }
  location /agent { if ($http_user_agent ~* evil) { return 403; } PASS }
  location ~ /\.(?!well-known) { deny all; }
  location ~ ^/(?=secret)[a-z]*\.txt$ { deny all; }
  location ~ "^/(?=behind)[a-z]*\.txt$" { auth_basic "x"; auth_basic_user_file DIR/users; PASS }
  location ^~ /first/ { deny all; }
  location ~ \.jpg$ { PASS }
  location /inside { internal; PASS location /inside/most { PASS } }
  location /some { satisfy any; allow 192.0.2.0/24; deny all; auth_basic "x"; auth_basic_user_file DIR/users; PASS }
  location ~ \.php$ { fastcgi_pass 127.0.0.1:1; }
  location /site/ { alias DIR/; index index.php; }
  location /tried/ { root DIR; try_files /none /index.php; }
  location @named { PASS }
  location /named/ { root DIR; deny all; try_files $uri @named; }
}
server {
  listen ADDR; server_name b.example;
  allow 192.0.2.0/24; deny all;
  location / { PASS }
  location /open { allow all; PASS }
}
server { listen ADDR; server_name c.example; return 404; location / { PASS } }
server {
  listen ADDR; server_name d.example;
  if ($request_method !~ ^(GET|HEAD)$ ) { return 405; }
  location / { PASS }
}
server { listen unix:DIR/e.sock; server_name e.example; location / { PASS } }
server { listen ADDR; server_name f.example; deny all; location / { PASS } }
"#;

/// Host, method and path; whether both let the client in, and with which fields.
const CASES: &[(&str, &str, bool)] = &[
    ("a.example", "GET /", true),
    ("a.example", "GET /basic", false),
    ("a.example", "GET /basic/x", false),
    ("a.example", "GET /basic.old", false),
    ("a.example", "GET /basic-not", true),
    ("a.example", "GET /asked", false),
    ("a.example", "GET /verify", false),
    ("a.example", "GET /deny", false),
    ("a.example", "GET /denying", false),
    ("a.example", "GET /late", false),
    ("a.example", "GET /nets", false),
    ("a.example", "GET /nets/inner", false),
    ("a.example", "GET /own", true),
    ("a.example", "GET /unix", false),
    ("a.example", "GET /read", true),
    ("a.example", "HEAD /read", true),
    ("a.example", "POST /read", false),
    ("a.example", "GET /write", true),
    ("a.example", "POST /write", false),
    ("a.example", "GET /key", false),
    ("a.example", "GET /mapped", false),
    ("a.example", "GET /geo", false),
    ("a.example", "GET /linked", false),
    ("a.example", "GET /signed", false),
    ("a.example", "GET /login", false),
    ("a.example", "GET /agent", true),
    ("a.example", "GET /.git/config", false),
    ("a.example", "GET /x/.env", false),
    ("a.example", "GET /.well-known/x", true),
    ("a.example", "GET /secret.txt", false),
    ("a.example", "GET /behind.txt", false),
    ("a.example", "GET /first/a.jpg", false),
    ("a.example", "GET /a.jpg", true),
    ("a.example", "GET /inside", false),
    ("a.example", "GET /inside/most", false),
    ("a.example", "GET /some", false),
    ("a.example", "GET /site/", false),
    ("a.example", "GET /tried/x", false),
    ("a.example", "GET /named/x", false),
    ("b.example", "GET /", false),
    ("b.example", "GET /open", true),
    ("c.example", "GET /", false),
    ("d.example", "GET /", true),
    ("d.example", "POST /", false),
    ("e.example", "GET /", false),
    ("f.example", "GET /", false),
    ("g.example", "GET /", false),
];

/// The status, 0 for none, and what came.
fn ask(at: SocketAddr, host: &str, request: &str) -> (u16, String) {
    let mut client = Client::plain(at);
    client.send(format!(
        "{request} HTTP/1.1\r\nHost: {host}\r\nX-User: admin\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ));
    let (bytes, _) = client.read_to_end(PATIENCE);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.unwrap_or(0), text)
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

#[test]
fn whomever_nginx_keeps_out_is_kept_out() {
    let _machine = light();
    let origin = Origin::start(|head, _| {
        let lower = head.to_lowercase();
        let user = lower.lines().find(|line| line.starts_with("x-user"));
        let body = format!("from inside {}", user.unwrap_or_default());
        (Duration::ZERO, ok("Content-Type: text/plain\r\n", &body))
    });
    let dir = tempfile::Builder::new().prefix("edge-nginx-").tempdir();
    let dir = dir.expect("a temporary directory");
    let path = dir.path();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(path, open).expect("we own it");
    write(&path.join("index.php"), "<?php from inside ?>");
    // "pw", as htpasswd -B makes it.
    let hash = "$2y$05$9Tyzg0nE7n4gcjcOhk8f6u1kbE0oEEeQyM4c3tPqeHcQ0W0v6nO.e";
    write(&path.join("users"), &format!("alice:{hash}\n"));
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (theirs, ours) = (at(free_port()), at(free_port()));
    let conf = |at: SocketAddr| {
        CONF.replace("ADDR", &at.to_string())
            .replace("PASS", &format!("proxy_pass http://{};", origin.address))
            .replace("DIR", &path.display().to_string())
    };
    let file = path.join("nginx.conf");
    write(
        &file,
        &format!("events {{}}\nhttp {{\n{}\n}}\n", conf(theirs)),
    );
    let nginx = Nginx::start(path, &file);

    let source = path.join("site.conf");
    write(&source, &conf(ours));
    let mut import = Command::new(edge_binary());
    import.args(["import", "nginx"]).arg(&source);
    let (code, toml, said) = Process::run("edge import", import, PATIENCE);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("let nobody in"), "{said}");
    let admin = path.join("admin.sock").display().to_string();
    let text = format!(
        "{toml}\n[shield]\nmode = \"off\"\n[metrics]\nlisten = \"off\"\n[limit]\nrequests = \"off\"\n\
         [admin]\nsocket = \"{admin}\"\n[log]\naccess = \"off\"\n"
    );
    let config = path.join("edge.toml");
    write(&config, &text);
    let mut command = Command::new(edge_binary());
    command.arg("run").arg("--config").arg(&config);
    let mut edge = Process::start("edge", command);
    edge.wait_for("ready", PATIENCE);
    assert!(wait_until(PATIENCE, || TcpStream::connect(theirs).is_ok()));

    let mut wrong = Vec::new();
    for (host, request, enters) in CASES {
        let (nginx, edge) = (ask(theirs, host, request), ask(ours, host, request));
        for (name, (status, text)) in [("nginx", &nginx), ("edge", &edge)] {
            let entered = *status == 200;
            // Only there something is said in its place.
            let lied = (*host, *request) == ("a.example", "GET /") && text.contains("admin");
            if entered != *enters || lied || (!entered && text.contains("inside")) {
                wrong.push(format!("{name}: {host} {request}: {status} {text}"));
            }
        }
    }
    drop(nginx);
    assert!(wrong.is_empty(), "{}\n{toml}", wrong.join("\n"));
}

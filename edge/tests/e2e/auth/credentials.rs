//! Passwords and keys, shown by curl, kept in files as `htpasswd` writes them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Edge, Process, Setup, Upstream, light, wait_until};

/// `Argon2id` of `correct horse`, made by `argon2-cffi`.
const ARGON2: &str = "$argon2id$v=19$m=8192,t=2,p=2$Yia/9/ybTYw2VroJAG3y9w$YJlDMNU6S0uS2VZJTGwsK+EvoxuB3ls9z/j5EpnCmno";

/// A file that only root may read: edge gives that up after the start.
fn secret(path: &Path, text: &str) {
    fs::write(path, text).expect("our own directory");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("our own file");
}

/// The line of a user.
fn htpasswd(cost: u8, name: &str, password: &str) -> String {
    let mut command = Command::new("htpasswd");
    command.args(["-nbB", "-C", &cost.to_string(), name, password]);
    let (code, line, error) = Process::run("htpasswd", command, Duration::from_secs(30));
    assert_eq!(code, 0, "{error}");
    line.trim().to_owned() + "\n"
}

/// What curl gets: the status.
fn curl(edge: &Edge, path: &str, arguments: &[&str]) -> u16 {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
    ]);
    command.arg("--cacert").arg(edge.file("ca.pem"));
    command.args(arguments).arg(format!("{}{path}", edge.url()));
    let (_, status, error) = Process::run("curl", command, Duration::from_secs(20));
    status
        .parse()
        .unwrap_or_else(|_| panic!("{status} {error}"))
}

#[test]
fn names_and_passwords() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address)
        .route(
            "request_headers = [\"X-User: {user}\"]\n\
             [host.route.basic_auth]\nfile = \"users\"\nrealm = \"the house\"",
        )
        .more_routes("[[host.route]]\npath = \"/open\"\nupstream = \"origin\"\n");
    let users = setup.dir.path().join("users");
    let bob = format!("bob:{ARGON2}\n");
    secret(&users, &(htpasswd(5, "ann", "s3cret: with, all") + &bob));
    let edge = setup.start();

    for (user, status) in [
        ("ann:s3cret: with, all", 200),
        ("ann:s3cret: with, all", 200),
        ("bob:correct horse", 200),
        ("ann:s3cret: with, al", 401),
        ("bob:s3cret: with, all", 401),
        ("carol:s3cret: with, all", 401),
        (":", 401),
    ] {
        assert_eq!(curl(&edge, "/a", &["--user", user]), status, "{user}");
        assert_eq!(
            curl(&edge, "/a", &["--http1.1", "--user", user]),
            status,
            "{user}"
        );
    }
    assert_eq!(curl(&edge, "/open", &[]), 200);
    let refused = edge
        .plain()
        .exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(refused.status, 401);
    let challenge = "Basic realm=\"the house\", charset=\"UTF-8\"";
    assert_eq!(refused.header("www-authenticate"), Some(challenge));
    let two = "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YTpi\r\nAuthorization: Basic YTpi\r\n\r\n";
    assert_eq!(edge.plain().exchange(two).status, 401);
    let sent = upstream.received();
    assert_eq!(sent.matches("x-user: ann\r\n").count(), 4, "{sent}");
    assert_eq!(sent.matches("x-user: bob\r\n").count(), 2, "{sent}");
    edge.log_line(|line| line["user"] == "bob" && line["status"] == 200);
    edge.log_line(|line| line["error"] == "no_credentials");
    let bad = edge.log_line(|line| line["error"] == "bad_credentials");
    assert!(bad.get("user").is_none(), "nobody knows who it was: {bad}");
    let log = fs::read_to_string(edge.file("access.log")).expect("there is one");
    assert!(!log.contains("s3cret") && !log.contains("Basic"), "{log}");
    assert!(!edge.process.output().contains("s3cret"));

    // A wrong file leaves the one before it in force; another one is noticed without being told.
    secret(&users, "ann:plain\n");
    let (code, said) = edge.command(&["reload"]);
    assert!(
        code != 0 && said.contains("line 1: the password of \"ann\""),
        "{said}"
    );
    secret(&users, &htpasswd(5, "ann", "another"));
    assert_eq!(curl(&edge, "/a", &["--user", "bob:correct horse"]), 200);
    let renewed = wait_until(Duration::from_secs(40), || {
        curl(&edge, "/a", &["--user", "ann:another"]) == 200
    });
    assert!(renewed, "{}", edge.process.output());
    for gone in ["ann:s3cret: with, all", "bob:correct horse"] {
        assert_eq!(curl(&edge, "/a", &["--user", gone]), 401, "{gone}");
    }
}

#[test]
fn passwords_that_take_long_hold_up_nobody() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address)
        .route("[host.route.basic_auth]\nfile = \"users\"")
        .more_routes("[[host.route]]\npath = \"/open\"\nupstream = \"origin\"\n");
    // Hundreds of milliseconds each.
    let users = htpasswd(12, "ann", "right");
    secret(&setup.dir.path().join("users"), &users);
    let edge = setup.start();
    let ask = |path: &str, credentials: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n\r\n"
        )
    };
    // `ann:right`, then `ann:wrong` and `bob:wrong`
    let right = "YW5uOnJpZ2h0";
    assert_eq!(edge.plain().exchange(ask("/", right)).status, 200);
    let mut guessers: Vec<_> = (0..12).map(|_| edge.plain()).collect();
    for (number, guesser) in guessers.iter_mut().enumerate() {
        let wrong = ["YW5uOndyb25n", "Ym9iOndyb25n"][number % 2];
        guesser.send(ask("/", wrong));
    }
    for _ in 0..5 {
        assert_eq!(edge.plain().exchange(ask("/open", right)).status, 200);
        assert_eq!(edge.plain().exchange(ask("/", right)).status, 200, "known");
    }
    let answers: Vec<_> = guessers
        .iter_mut()
        .map(|guesser| guesser.response(false))
        .collect();
    let count = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!(count(401) + count(503), 12, "{answers:?}");
    assert!(count(401) >= 4 && count(503) >= 1, "{answers:?}");
    for busy in answers.iter().filter(|answer| answer.status == 503) {
        assert_eq!(busy.header("retry-after"), Some("1"));
    }
    edge.log_line(|line| line["error"] == "auth_busy");
    // Lines stand in the order in which requests ended.
    let log = || fs::read_to_string(edge.file("access.log")).unwrap_or_default();
    assert!(wait_until(Duration::from_secs(5), || {
        log().matches("\"status\":401").count() == count(401)
    }));
    let log = log();
    let open = log.rfind("\"/open\"").expect("it was asked for");
    let last = log.rfind("\"status\":401").expect("they were refused");
    assert!(open < last, "the worker waited for passwords:\n{log}");
}

#[test]
fn keys_with_names() {
    let _machine = light();
    let upstream = Upstream::ok();
    // SHA-256 of `key-of-the-config`
    let hash = "f3746fdc7769a4baed54767ab1c8d98e725abfe051cf99ee42bdfa8e788e48d8";
    let setup = Setup::new(upstream.address)
        .route(&format!(
            "request_headers = [\"X-Key-Name: {{user}}\", \"-Authorization\"]\n\
             [host.route.api_keys]\nfile = \"keys\"\nkeys = [\"ops sha256:{hash}\"]"
        ))
        .more_routes(
            "[[host.route]]\npath = \"/field\"\nupstream = \"origin\"\n\
             [host.route.api_keys]\nfile = \"keys\"\nheader = \"X-API-Key\"\n",
        );
    let keys = setup.dir.path().join("keys");
    secret(
        &keys,
        "# ours\nci first-key-of-the-file\nci second-key-of-ci\n",
    );
    let edge = setup.start();
    let bearer = |key: &str| curl(&edge, "/a", &["--oauth2-bearer", key]);
    let field = |key: &str| curl(&edge, "/field", &["--header", &format!("X-API-Key: {key}")]);
    for key in ["first-key-of-the-file", "second-key-of-ci"] {
        assert_eq!((bearer(key), field(key)), (200, 200));
    }
    assert_eq!(bearer("key-of-the-config"), 200);
    assert_eq!(field("key-of-the-config"), 401, "another route");
    assert_eq!((bearer("no-key-at-all-is-it"), field("")), (401, 401));
    assert_eq!(bearer(hash), 401, "a hash is no key");
    let challenge = |fields: &str| {
        let request = format!("GET /field HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        let refused = edge.plain().exchange(request.replace("/field", "/a"));
        let of_field = edge.plain().exchange(request);
        let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
        (
            text(refused.header("www-authenticate")),
            text(of_field.header("www-authenticate")),
        )
    };
    let (bare, of_field) = challenge("");
    assert_eq!(bare, "Bearer realm=\"edge\"");
    assert_eq!(of_field, "ApiKey header=\"x-api-key\"");
    let (wrong, _) = challenge("Authorization: Bearer xyz\r\n");
    assert_eq!(wrong, "Bearer realm=\"edge\", error=\"invalid_token\"");
    let sent = upstream.received();
    assert_eq!(sent.matches("x-key-name: ci\r\n").count(), 2, "{sent}");
    assert_eq!(sent.matches("x-key-name: ops\r\n").count(), 1, "{sent}");
    assert!(!sent.contains("Bearer"), "{sent}");
    edge.log_line(|line| line["user"] == "ops");
    let log = fs::read_to_string(edge.file("access.log")).expect("there is one");
    assert!(
        !log.contains("of-the-file") && !log.contains("of-ci"),
        "{log}"
    );

    secret(&keys, "ci second-key-of-ci\n");
    edge.reload();
    assert_eq!(bearer("first-key-of-the-file"), 401, "it was taken back");
    assert_eq!(
        (bearer("second-key-of-ci"), bearer("key-of-the-config")),
        (200, 200)
    );
}

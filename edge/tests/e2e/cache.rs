//! Stored answers: when they are given, to whom, and to whom never.

pub(crate) mod origin;

use std::process::Command;
use std::time::Duration;

use self::origin::{Origin, ok};
use crate::support::{Client, Process, Response, Setup, free_port, light, wait_until};

const LIMIT: Duration = Duration::from_secs(30);
const NOW: Duration = Duration::ZERO;

/// The fields that the query of a request asks for: `?max-age=60` and the like, by number.
const ANSWERS: &[&str] = &[
    "Cache-Control: max-age=60\r\n",
    "Cache-Control: max-age=0, s-maxage=60\r\n",
    "Cache-Control: private, max-age=60\r\n",
    "Cache-Control: no-store\r\n",
    "Cache-Control: no-cache, max-age=60\r\n",
    "Expires: Thu, 31 Dec 2037 23:55:55 GMT\r\n",
    "Expires: 0\r\n",
    "Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n",
    "Cache-Control: max-age=60\r\nVary: *\r\n",
    "",
    "Cache-Control: max-age=x\r\n",
];

fn get(client: &mut Client, path: &str, fields: &str) -> Response {
    client.exchange(format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
    ))
}

/// What the cache did, and the body.
fn told(response: &Response) -> (String, String) {
    let result = response.header("x-cache").unwrap_or("-").to_owned();
    (result, response.text())
}

fn pair(result: &str, body: &str) -> (String, String) {
    (result.to_owned(), body.to_owned())
}

/// Answers with the fields of the number that ends the path, and how often it was asked.
fn numbered() -> Origin {
    Origin::start(|head, number| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let which = path
            .rsplit('/')
            .next()
            .and_then(|text| text.parse::<usize>().ok());
        let fields = which
            .and_then(|which| ANSWERS.get(which))
            .copied()
            .unwrap_or_default();
        (NOW, ok(fields, &number.to_string()))
    })
}

#[test]
fn an_answer_is_given_again() {
    let _machine = light();
    let origin = Origin::start(|_, number| {
        let fields = "Cache-Control: max-age=60\r\nETag: \"a\"\r\nX-Cache: lies\r\nContent-Type: text/plain\r\n";
        (NOW, ok(fields, &number.to_string()))
    });
    let edge = Setup::new(origin.address)
        .route("cache = true\nresponse_headers = [\"X-Id: {request_id}\"]")
        .start();
    let mut client = edge.plain();
    let first = get(&mut client, "/a", "");
    assert_eq!(told(&first), pair("MISS", "1"));
    let second = get(&mut client, "/a", "");
    assert_eq!(told(&second), pair("HIT", "1"));
    assert!(
        second
            .header("age")
            .is_some_and(|age| age.parse::<u64>().is_ok())
    );
    assert_eq!(second.header("content-type"), Some("text/plain"));
    assert_ne!(
        first.header("x-id"),
        second.header("x-id"),
        "rules apply anew"
    );
    client.send("HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = client.response(true);
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("1"))
    );
    assert_eq!(told(&head), pair("HIT", ""));
    let known = get(&mut client, "/a", "If-None-Match: W/\"a\"\r\n");
    assert_eq!((known.status, told(&known)), (304, pair("HIT", "")));
    assert_eq!(known.header("content-type"), None);
    let other = get(&mut client, "/a", "If-None-Match: \"b\"\r\n");
    assert_eq!((other.status, told(&other)), (200, pair("HIT", "1")));
    // Another client, another protocol: the scheme is part of the question.
    assert_eq!(told(&get(&mut edge.tls(), "/a", "")), pair("MISS", "2"));
    assert_eq!(told(&get(&mut edge.tls(), "/a", "")), pair("HIT", "2"));
    assert_eq!(origin.asked(), 2);
    let line = edge.log_line(|line| line["cache"] == "HIT");
    assert_eq!(
        (&line["status"], &line["upstream"]),
        (&200.into(), &serde_json::Value::Null)
    );
    let counted = || {
        let metrics = edge.metrics();
        let of = |result: &str| metrics.sum("edge_cache_requests_total", &[result]);
        (
            of("result=\"HIT\""),
            of("result=\"MISS\""),
            metrics.sum("edge_cache_entries", &[]),
        )
    };
    assert!(
        wait_until(LIMIT, || counted() == (5.0, 2.0, 2.0)),
        "{:?}",
        counted()
    );
}

#[test]
fn what_nginx_stores_and_what_it_does_not() {
    let _machine = light();
    let (ours, theirs) = (numbered(), numbered());
    let edge = Setup::new(ours.address).route("cache = true").start();
    let nginx = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
    let dir = edge.dir().display();
    let origin = theirs.address;
    let config = format!(
        "daemon off; user root; worker_processes 1; pid {dir}/nginx.pid; error_log stderr;\n\
         events {{}}\n\
         http {{ access_log off; client_body_temp_path {dir}/nginx-body;\n\
         proxy_temp_path {dir}/nginx-proxy; fastcgi_temp_path {dir}/nginx-fastcgi;\n\
         uwsgi_temp_path {dir}/nginx-uwsgi; scgi_temp_path {dir}/nginx-scgi;\n\
         proxy_cache_path {dir}/nginx-cache keys_zone=z:1m;\n\
         server {{ listen {nginx}; location / {{ proxy_pass http://{origin}; proxy_cache z;\n\
         add_header X-Cache $upstream_cache_status; }} }} }}\n"
    );
    let path = format!("{dir}/nginx.conf");
    std::fs::write(&path, config).expect("our own folder");
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-e").arg("stderr").arg("-c").arg(&path);
    let _process = Process::start("nginx", command);
    let listens = || std::net::TcpStream::connect(nginx).is_ok();
    assert!(wait_until(LIMIT, listens), "nginx listens");
    let mut stored = Vec::new();
    for (number, fields) in ANSWERS.iter().enumerate() {
        let second = [edge.http, nginx].map(|address| {
            let path = format!("/{number}");
            get(&mut Client::plain(address), &path, "");
            get(&mut Client::plain(address), &path, "").header("x-cache") == Some("HIT")
        });
        assert_eq!(second[0], second[1], "{fields:?}");
        stored.extend(second[0].then_some(number));
    }
    assert_eq!(stored, [0, 1, 5]);
}

#[test]
fn whose_answer_is_for_nobody_else() {
    let _machine = light();
    let origin = Origin::start(|head, number| {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let fields = match path.split('?').next() {
            Some("/public") => "Cache-Control: public, max-age=60\r\n",
            Some("/language") => "Cache-Control: max-age=60\r\nVary: Accept-Language\r\n",
            Some("/stream") => "Cache-Control: max-age=60\r\nX-Accel-Buffering: no\r\n",
            _ => "Cache-Control: max-age=60\r\n",
        };
        let host = head.lines().filter(|line| {
            let line = line.to_ascii_lowercase();
            line.starts_with("x-forwarded-host") || line.starts_with("host")
        });
        let host = host.collect::<Vec<_>>().join(" ");
        (NOW, ok(fields, &format!("{number} {host}")))
    });
    let edge = Setup::new(origin.address)
        .route("cache = { key_headers = [\"X-Tenant\"] }")
        .more_routes("[[host.route]]\npath = \"/other\"\nupstream = \"origin\"\ncache = true\n")
        .hosts("[[host]]\nnames = [\"b.example\"]\n[[host.route]]\nupstream = \"origin\"\ncache = true\n")
        .start();
    let mut client = edge.plain();
    let mut result = |path: &str, fields: &str| told(&get(&mut client, path, fields)).0;
    for (path, fields) in [
        ("/r", "Range: bytes=0-0\r\n"),
        ("/u", "X-Original-URL: /admin\r\n"),
        ("/m", "X-HTTP-Method-Override: DELETE\r\n"),
        ("/s", "Accept: text/event-stream\r\n"),
        ("/account;x.css", ""),
        ("/account%2fx.css", ""),
        ("//account", ""),
    ] {
        let both = (result(path, fields), result(path, fields));
        assert_eq!(
            both,
            ("BYPASS".to_owned(), "BYPASS".to_owned()),
            "{path} {fields}"
        );
    }
    for fields in [
        "Authorization: Bearer a\r\n",
        "Cookie: sid=1\r\n",
        "X-Api-Key: k\r\n",
    ] {
        let both = (result("/mine", fields), result("/mine", fields));
        assert_eq!(both, ("MISS".to_owned(), "MISS".to_owned()), "{fields}");
    }
    assert_eq!(result("/mine", ""), "MISS");
    assert_eq!(result("/mine", ""), "HIT");
    assert_eq!(
        result("/mine", "Cookie: sid=1\r\n"),
        "BYPASS",
        "nor the other way"
    );
    assert_eq!(result("/public", "Cookie: sid=1\r\n"), "MISS");
    assert_eq!(result("/public", "Cookie: sid=2\r\n"), "HIT");
    assert_eq!(result("/public", ""), "HIT");
    for (path, fields, expected) in [
        ("/language", "Accept-Language: de\r\n", "MISS"),
        ("/language", "Accept-Language: en\r\n", "MISS"),
        ("/language", "Accept-Language: de\r\n", "HIT"),
        ("/language", "", "MISS"),
        ("/t", "X-Tenant: 1\r\n", "MISS"),
        ("/t", "X-Tenant: 2\r\n", "MISS"),
        ("/t", "X-Tenant: 1\r\n", "HIT"),
        ("/t", "", "MISS"),
        ("/stream", "", "MISS"),
        ("/stream", "", "MISS"),
        ("/q?a=1", "", "MISS"),
        ("/q?a=2", "", "MISS"),
        ("/q?a=1", "", "HIT"),
        ("/Q?a=1", "", "MISS"),
    ] {
        assert_eq!(result(path, fields), expected, "{path} {fields}");
    }
    // A host that the client makes up reaches nobody; one that it asks for is part of the question.
    let poisoned = get(
        &mut client,
        "/p",
        "X-Forwarded-Host: evil.example\r\nX_Forwarded_Host: evil\r\n",
    );
    assert!(!poisoned.text().contains("evil"), "{}", poisoned.text());
    assert_eq!(told(&get(&mut client, "/p", "")).0, "HIT");
    let port = client.exchange("GET /p HTTP/1.1\r\nHost: localhost:1\r\n\r\n");
    assert_eq!(told(&port).0, "MISS");
    let other = client.exchange("GET /p HTTP/1.1\r\nHost: b.example\r\n\r\n");
    assert_eq!(told(&other).0, "MISS");
    assert_eq!(told(&get(&mut client, "/other", "")).0, "MISS");
    // A body of a GET that the upstream may look at.
    let before = origin.asked();
    client.send("GET /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nevil");
    assert_eq!(told(&client.response(false)).0, "BYPASS");
    assert!(origin.asked() > before);
}

#[test]
fn one_asks_and_the_others_wait() {
    let _machine = light();
    let origin = Origin::start(|head, number| {
        let fields = match head.starts_with("GET /shared") {
            true => "Cache-Control: max-age=60\r\n",
            false => "Cache-Control: no-store\r\n",
        };
        (Duration::from_millis(500), ok(fields, &number.to_string()))
    });
    let edge = Setup::new(origin.address).route("cache = true").start();
    let ask = |path: &'static str| {
        let address = edge.http;
        std::thread::spawn(move || told(&get(&mut Client::plain(address), path, "")))
    };
    let all: Vec<_> = (0..20).map(|_| ask("/shared")).collect();
    let all: Vec<_> = all
        .into_iter()
        .map(|one| one.join().expect("an answer"))
        .collect();
    assert_eq!(origin.asked(), 1, "{all:?}");
    assert!(all.iter().all(|(_, body)| body == "1"), "{all:?}");
    let hits = all.iter().filter(|(result, _)| result == "HIT").count();
    assert_eq!(hits, 19);
    // What cannot be stored is fetched by each, at once as soon as that is known.
    let own: Vec<_> = (0..10).map(|_| ask("/own")).collect();
    let own: Vec<_> = own
        .into_iter()
        .map(|one| one.join().expect("an answer"))
        .collect();
    assert_eq!(origin.asked(), 11);
    let mut bodies: Vec<_> = own.into_iter().map(|(_, body)| body).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 10, "everybody has an answer of their own");
}

#[test]
fn stale_answers_are_better_than_none() {
    let _machine = light();
    let origin = Origin::start(|head, number| {
        let unwell = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        let answer = match (head.split(' ').nth(1), number) {
            (Some("/behind"), _) => {
                let fields = "Cache-Control: max-age=1, stale-while-revalidate=60\r\n";
                ok(fields, &number.to_string())
            }
            (Some("/first"), _) => ok("Cache-Control: max-age=1\r\n", "first"),
            (Some("/unwell"), _) => unwell.to_owned(),
            _ => String::new(),
        };
        (NOW, answer)
    });
    let setup = Setup::new(origin.address).route(
        "rewrite = \"/{header:X-As}\"\n[host.route.cache]\nstale_if_error = \"1m\"\nkey_headers = [\"X-Key\"]",
    );
    let edge = setup.start();
    let ask = |target: &str, fields: &str| told(&get(&mut edge.plain(), target, fields));
    assert_eq!(ask("/b", "X-As: behind\r\n"), pair("MISS", "1"));
    let stale = || ask("/b", "X-As: behind\r\n").0 == "STALE";
    assert!(
        wait_until(LIMIT, stale),
        "it is sent while a new one is fetched"
    );
    let renewed = || ask("/b", "X-As: behind\r\n").1 != "1";
    assert!(
        wait_until(LIMIT, renewed),
        "which comes without anybody waiting for it"
    );
    // The target that is sent is part of the question, so an unwell server has nothing stale.
    assert_eq!(get(&mut edge.plain(), "/f", "X-As: unwell\r\n").status, 503);
    assert_eq!(get(&mut edge.plain(), "/f", "X-As: gone\r\n").status, 502);
}

#[test]
fn an_upstream_that_fails_is_hidden_for_a_while() {
    let _machine = light();
    let origin = Origin::start(|head, number| {
        let healthy = number <= 2 || head.contains("x-well");
        let answer = match (healthy, head.starts_with("GET /closed")) {
            (true, _) => ok("Cache-Control: max-age=1\r\n", &number.to_string()),
            (false, true) => String::new(),
            (false, false) => "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops".to_owned(),
        };
        (NOW, answer)
    });
    let edge = Setup::new(origin.address)
        .route("cache = { stale_if_error = \"1h\" }")
        .upstream(&format!(
            "servers = [\"{}\"]\neject_after = 1000",
            origin.address
        ))
        .start();
    let ask = |path: &str| get(&mut edge.plain(), path, "");
    assert_eq!(told(&ask("/error")), pair("MISS", "1"));
    assert_eq!(told(&ask("/closed")), pair("MISS", "2"));
    assert_eq!(ask("/never").status, 500, "nothing stored, nothing hidden");
    for (path, body) in [("/error", "1"), ("/closed", "2")] {
        let mut last = ask(path);
        assert!(wait_until(LIMIT, || {
            last = ask(path);
            told(&last).0 == "STALE"
        }));
        assert_eq!((last.status, last.text().as_str()), (200, body));
    }
    edge.log_line(|line| line["cache"] == "STALE" && line["error"] == "upstream_status");
}

#[test]
fn what_ends_a_stored_answer() {
    let _machine = light();
    let origin = Origin::start(|head, number| {
        let body = match head.starts_with("GET /large") {
            true => "x".repeat(3000),
            false => number.to_string(),
        };
        (NOW, ok("", &body))
    });
    let edge = Setup::new(origin.address)
        .route("[host.route.cache]\nttl = [\"200: 1h\", \"2xx: 1s\"]\nmax_object = \"2KiB\"\nclient_directives = true")
        .section("bounds", "cache = \"20KiB\"")
        .start();
    let ask = |path: &str, fields: &str| told(&get(&mut edge.plain(), path, fields));
    assert_eq!(ask("/a", ""), pair("MISS", "1"));
    assert_eq!(ask("/a", ""), pair("HIT", "1"));
    assert_eq!(ask("/a", "Cache-Control: no-cache\r\n"), pair("MISS", "2"));
    assert_eq!(
        ask("/a", "Cache-Control: no-store\r\n"),
        pair("BYPASS", "3")
    );
    assert_eq!(
        ask("/a", "Cache-Control: only-if-cached\r\n"),
        pair("HIT", "2")
    );
    let none = get(
        &mut edge.plain(),
        "/none",
        "Cache-Control: only-if-cached\r\n",
    );
    assert_eq!(none.status, 504);
    // What is written to has another answer now.
    let written = edge
        .plain()
        .exchange("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(told(&written).0, "BYPASS");
    assert_eq!(ask("/a", ""), pair("MISS", "5"));
    assert_eq!(ask("/large", "").0, "MISS");
    assert_eq!(ask("/large", "").0, "MISS", "longer than what is stored");
    // Least recently used goes first.
    for number in 0..200 {
        ask(&format!("/many/{number}"), "");
    }
    assert_eq!(ask("/many/199", "").0, "HIT");
    assert_eq!(ask("/a", "").0, "MISS");
    let bytes = || edge.metrics().sum("edge_cache_bytes", &[]);
    assert!(wait_until(LIMIT, || bytes() > 1000.0), "{}", bytes());
    assert!(bytes() <= 20.0 * 1024.0, "{}", bytes());
    // Other rules, other answers.
    assert_eq!(ask("/many/199", "").0, "HIT");
    edge.rewrite(&edge.config().replace("200: 1h", "200: 2h"));
    edge.reload();
    assert_eq!(ask("/many/199", "").0, "MISS");
}

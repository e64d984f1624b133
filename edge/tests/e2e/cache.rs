//! Stored answers: when they are given, to whom, and to whom never.

pub(crate) mod origin;
mod stale;
mod whose;

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
        "daemon off; user root; master_process off; pid {dir}/nginx.pid; error_log stderr;\n\
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
fn who_leaves_is_replaced_by_one_of_those_who_wait() {
    let _machine = light();
    let origin = Origin::start(|_, number| {
        let fields = "Cache-Control: max-age=60\r\n";
        (Duration::from_millis(500), ok(fields, &number.to_string()))
    });
    let edge = Setup::new(origin.address).route("cache = true").start();
    let mut first = edge.plain();
    first.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(wait_until(LIMIT, || origin.asked() == 1));
    let address = edge.http;
    let wait = || std::thread::spawn(move || told(&get(&mut Client::plain(address), "/a", "")));
    let others: Vec<_> = (0..10).map(|_| wait()).collect();
    std::thread::sleep(Duration::from_millis(200));
    drop(first);
    let others: Vec<_> = others
        .into_iter()
        .map(|one| one.join().expect("an answer"))
        .collect();
    assert_eq!(origin.asked(), 2, "{others:?}");
    assert!(others.iter().all(|(_, body)| body == "2"), "{others:?}");
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

//! Answers that are no longer fresh: sent for want of others, and asked about.

use std::sync::{Arc, Mutex};

use super::origin::{Origin, ok};
use super::{LIMIT, NOW, get, pair, told};
use crate::support::{Setup, light, wait_until};

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

/// What each request was asked with.
type Seen = Arc<Mutex<Vec<String>>>;

/// Fresh for a second; who asks about what is stored is told that it is still right, with `more`.
fn confirming(more: &'static str) -> (Origin, Seen) {
    let seen = Seen::default();
    let heads = Arc::clone(&seen);
    let origin = Origin::start(move |head, number| {
        heads.lock().expect("nobody panics").push(head.to_owned());
        let lower = head.to_ascii_lowercase();
        let date = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        let answer = match lower.contains("if-none-match: \"a\"") {
            true => format!(
                "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nX-Number: {number}\r\n{more}\r\n"
            ),
            false => ok(
                &format!(
                    "Cache-Control: max-age=1\r\nETag: \"a\"\r\n{date}X-Number: {number}\r\n\
                     Content-Type: text/plain\r\n"
                ),
                "body",
            ),
        };
        (NOW, answer)
    });
    (origin, seen)
}

#[test]
fn the_upstream_is_asked_whether_it_is_still_right() {
    let _machine = light();
    let (origin, seen) = confirming("Cache-Control: max-age=3600\r\nContent-Type: text/html\r\n");
    let edge = Setup::new(origin.address).route("cache = true").start();
    let mut client = edge.plain();
    assert_eq!(told(&get(&mut client, "/a", "")), pair("MISS", "body"));
    let mut confirmed = None;
    // The client has another one: what it asks is answered from what has been confirmed.
    let asked = wait_until(LIMIT, || {
        let response = get(&mut client, "/a", "If-None-Match: \"c\"\r\n");
        let is_it = told(&response).0 == "REVALIDATED";
        confirmed = Some(response).filter(|_| is_it);
        is_it
    });
    assert!(asked, "it is asked about once it is stale");
    let confirmed = confirmed.expect("found above");
    assert_eq!((confirmed.status, &*confirmed.text()), (200, "body"));
    let field = |name| confirmed.header(name);
    assert_eq!(field("content-type"), Some("text/plain"), "of the content");
    assert_eq!(field("x-number"), Some("2"), "of the confirmation");
    assert_eq!(field("cache-control"), Some("max-age=3600"));
    assert_eq!(field("age"), Some("0"));
    {
        let seen = seen.lock().expect("nobody panics");
        let [_, second] = &seen[..] else {
            panic!("{seen:?}")
        };
        let lower = second.to_ascii_lowercase();
        assert!(
            lower.contains("if-modified-since: sun, 06 nov 1994 08:49:37 gmt"),
            "{second}"
        );
        assert!(
            !lower.contains("\"c\""),
            "the client's own stays here: {second}"
        );
    }
    // It is fresh again, for as long as the confirmation says, on the connection that it came by.
    assert_eq!(told(&get(&mut client, "/a", "")), pair("HIT", "body"));
    let known = get(&mut client, "/a", "If-None-Match: \"a\"\r\n");
    assert_eq!((known.status, told(&known)), (304, pair("HIT", "")));
    assert_eq!(origin.asked(), 2);
    let line = edge.log_line(|line| line["cache"] == "REVALIDATED");
    assert_eq!(
        (&line["status"], &line["upstream"]),
        (&200.into(), &"origin".into())
    );
    assert_eq!(line["error"], serde_json::Value::Null);
    let counted = || {
        edge.metrics()
            .sum("edge_cache_requests_total", &["result=\"REVALIDATED\""])
    };
    assert!(wait_until(LIMIT, || counted() == 1.0), "{}", counted());
    let errors = edge.metrics().sum("edge_upstream_errors_total", &[]);
    assert_eq!(errors, 0.0);
}

#[test]
fn one_asks_about_it_behind_the_clients_back() {
    let _machine = light();
    let (origin, seen) = confirming("Cache-Control: max-age=3600\r\n");
    let edge = Setup::new(origin.address)
        .route("cache = { stale_while_revalidate = \"1h\" }")
        .start();
    let mut client = edge.plain();
    assert_eq!(told(&get(&mut client, "/a", "")), pair("MISS", "body"));
    let stale = || told(&get(&mut edge.plain(), "/a", "")) == pair("STALE", "body");
    assert!(wait_until(LIMIT, stale));
    let mut last = None;
    let fresh = wait_until(LIMIT, || {
        let response = get(&mut client, "/a", "");
        let is_hit = told(&response) == pair("HIT", "body");
        last = response.header("x-number").map(str::to_owned);
        is_hit
    });
    assert!(fresh && last.as_deref() == Some("2"), "{last:?}");
    let seen = seen.lock().expect("nobody panics");
    assert_eq!(seen.len(), 2);
    assert!(
        seen[1]
            .to_ascii_lowercase()
            .contains("if-none-match: \"a\""),
        "{}",
        seen[1]
    );
}

#[test]
fn a_confirmation_of_something_else_or_for_nobody_else() {
    let _machine = light();
    // It means another one: all of it is asked for, and that is what the client gets.
    let other = Origin::start(|head, number| {
        let asks = head.to_ascii_lowercase().contains("if-none-match");
        let answer = match asks {
            true => "HTTP/1.1 304 Not Modified\r\nETag: \"other\"\r\n\r\n".to_owned(),
            false => ok(
                "Cache-Control: max-age=1\r\nETag: \"a\"\r\n",
                &number.to_string(),
            ),
        };
        (NOW, answer)
    });
    let edge = Setup::new(other.address).route("cache = true").start();
    let mut client = edge.plain();
    assert_eq!(told(&get(&mut client, "/a", "")), pair("MISS", "1"));
    let mut last = Vec::new();
    let asked = wait_until(LIMIT, || {
        let response = get(&mut client, "/a", "");
        last.push((response.status, told(&response)));
        last.last() == Some(&(200, pair("MISS", "3")))
    });
    assert!(asked, "{last:?}");
    // What it says of itself now is for one client only.
    let (private, _) = confirming("Cache-Control: private\r\nSet-Cookie: a=b\r\n");
    let edge = Setup::new(private.address).route("cache = true").start();
    let mut client = edge.plain();
    assert_eq!(told(&get(&mut client, "/a", "")), pair("MISS", "body"));
    let mut first = None;
    assert!(wait_until(LIMIT, || {
        let response = get(&mut client, "/a", "");
        let is_it = told(&response).0 == "REVALIDATED";
        first = first.take().or(is_it.then_some(response));
        is_it
    }));
    let first = first.expect("found above");
    assert_eq!(
        (first.header("set-cookie"), &*first.text()),
        (Some("a=b"), "body")
    );
    let next = get(&mut client, "/a", "");
    assert_eq!(
        (told(&next).0, next.header("set-cookie")),
        ("MISS".to_owned(), None)
    );
}

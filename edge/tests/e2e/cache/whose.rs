//! Who is given whose answer: what clients try in order to poison a store, or to have the answer for
//! somebody else stored.

use super::origin::{Origin, ok};
use super::{NOW, get, pair, told};
use crate::support::{Setup, light};

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

/// An application whose pages are for one user each, and which reads more out of a request than its
/// question: the fields that poisoning goes by.
fn gullible() -> Origin {
    Origin::start(|head, number| {
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default();
        let target = first.split(' ').nth(1).unwrap_or_default();
        let told: Vec<String> = lines
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| !matches!(&*name.to_ascii_lowercase(), "via" | "host"))
            .filter(|(name, _)| !name.to_ascii_lowercase().starts_with("x-request-id"))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookie = told
            .iter()
            .any(|line| line.to_ascii_lowercase().starts_with("cookie"));
        // Everything may be stored, as far as it says, but what a cookie was shown for.
        let fields = match (target.starts_with("/session"), cookie) {
            (true, true) => "Cache-Control: max-age=60\r\nSet-Cookie: sid=fixed\r\n",
            (_, true) => "Cache-Control: max-age=60\r\nX-Account: yes\r\n",
            _ => "Cache-Control: max-age=60\r\n",
        };
        (
            NOW,
            ok(fields, &format!("{number} {target} {}", told.join(";"))),
        )
    })
}

#[test]
fn what_is_not_in_the_question_reaches_no_upstream_or_passes_the_store_by() {
    let _machine = light();
    let origin = gullible();
    let edge = Setup::new(origin.address).route("cache = true").start();
    let mut client = edge.plain();
    for (number, field) in [
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Scheme: evil",
        "X-Forwarded-Proto: evil",
        "X-Forwarded-Server: evil",
        "X-Forwarded-Port: evil",
        "X-Forwarded-Prefix: /evil",
        "X-Forwarded-For: evil",
        "X-Real-IP: evil",
        "Forwarded: host=evil",
        "X_Forwarded_Host: evil",
        "X-Original-URL: /evil",
        "X-Rewrite-URL: /evil",
        "X-Host: evil",
        "X-HTTP-Method-Override: EVIL",
        "X-Method-Override: EVIL",
        "X-HTTP-Method: EVIL",
        "X-Original-Host: evil",
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/page/{number}");
        let first = get(&mut client, &path, &format!("{field}\r\n"));
        let is_told = first.text().to_ascii_lowercase().contains("evil");
        let next = get(&mut client, &path, "");
        let is_poisoned = next.text().to_ascii_lowercase().contains("evil");
        assert!(!is_poisoned, "{field}: {}", next.text());
        if is_told {
            assert_eq!(told(&first).0, "BYPASS", "{field}");
        }
    }
}

#[test]
fn a_path_that_looks_like_a_file_is_no_reason_to_store() {
    let _machine = light();
    let origin = gullible();
    let edge = Setup::new(origin.address).route("cache = true").start();
    let mut victim = edge.plain();
    let mut thief = edge.plain();
    for path in [
        "/account/x.css",
        "/account/%2e%2e/account/x.js",
        "/account%2fx.css",
        "/account%2Fx.css",
        "/account%5cx.css",
        "/account;x.css",
        "/account%3bx.css",
        "/account%3fx.css",
        "/account%23x.css",
        "/account%00x.css",
        "/account%0ax.css",
        "//account/x.css",
        "/account/./x.css",
        "/account/x.css?sid",
    ] {
        let seen = get(&mut victim, path, "Cookie: sid=victim\r\n");
        let stolen = get(&mut thief, path, "");
        assert!(
            !stolen.text().contains("victim") && stolen.header("x-account").is_none(),
            "{path}: {} then {}",
            seen.text(),
            stolen.text()
        );
        if seen.status == 400 {
            victim = edge.plain();
            thief = edge.plain();
        }
    }
    // A session that is handed out is handed to one.
    let own = get(&mut victim, "/session", "Cookie: sid=victim\r\n");
    assert_eq!(own.header("set-cookie"), Some("sid=fixed"));
    let other = get(&mut thief, "/session", "");
    assert_eq!(other.header("set-cookie"), None);
}

#[test]
fn parameters_are_read_one_way_by_everybody() {
    let _machine = light();
    let origin = gullible();
    let edge = Setup::new(origin.address).route("cache = true").start();
    let mut client = edge.plain();
    // Whatever a server takes for a parameter, the question holds all of the query, as it was sent.
    let queries = [
        "a=1",
        "a=1&",
        "a=1;b=2",
        "a=1&b=2",
        "b=2&a=1",
        "a=1&a=2",
        "a=2&a=1",
        "a=1&utm_x=1;a=2",
        "a=1%26b=2",
        "A=1",
        "a=%31",
        "a[]=1",
        "",
    ];
    for query in queries {
        let asked = get(&mut client, &format!("/q?{query}"), "");
        assert_eq!(told(&asked).0, "MISS", "{query}");
        let again = get(&mut client, &format!("/q?{query}"), "");
        assert_eq!(told(&again).0, "HIT", "{query}");
        assert!(again.text().contains(&format!("/q?{query} ")), "{query}");
    }
    assert_eq!(told(&get(&mut client, "/q", "")).0, "MISS");
}

#[test]
fn a_get_with_a_body_a_head_and_a_part_leave_the_answer_whole() {
    let _machine = light();
    let origin = gullible();
    let edge = Setup::new(origin.address).route("cache = true").start();
    let mut client = edge.plain();
    // HEAD stores nothing that GET is given, and takes what GET has stored.
    client.send("HEAD /h HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(told(&client.response(true)), pair("MISS", ""));
    let whole = get(&mut client, "/h", "");
    assert_eq!(told(&whole).0, "MISS");
    assert!(!whole.text().is_empty());
    client.send("HEAD /h HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = client.response(true);
    assert_eq!(told(&head), pair("HIT", ""));
    let length = whole.text().len().to_string();
    assert_eq!(head.header("content-length"), Some(&*length));
    // A part is asked for past the store and does not become the answer.
    for range in [
        "Range: bytes=0-0\r\n",
        "Range: bytes=0-0\r\nIf-Range: \"a\"\r\n",
    ] {
        assert_eq!(told(&get(&mut client, "/part", range)).0, "BYPASS");
    }
    assert_eq!(told(&get(&mut client, "/part", "")).0, "MISS");
    assert_eq!(told(&get(&mut client, "/part", "")).0, "HIT");
    // What a GET says in its body is no part of the question, so its answer is nobody else's.
    for body in [
        "Content-Length: 4\r\n\r\nevil",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
    ] {
        client.send(format!("GET /fat HTTP/1.1\r\nHost: localhost\r\n{body}"));
        assert_eq!(told(&client.response(false)).0, "BYPASS", "{body}");
    }
    assert_eq!(told(&get(&mut client, "/fat", "")).0, "MISS");
    // Nor does the route by which a host was reached under another name.
    let absolute = "GET http://localhost/h HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(told(&client.exchange(absolute)).0, "HIT");
}

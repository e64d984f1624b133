//! What a route takes from whom: named limits, networks, bodies; and the pages that say no.

use std::time::{Duration, Instant};

use crate::support::{Demo, Setup, Upstream, light};

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

fn routes(lines: &[(&str, &str)]) -> String {
    let route = |(path, keys): &(&str, &str)| {
        format!("[[host.route]]\npath = \"{path}\"\nupstream = \"origin\"\n{keys}\n")
    };
    lines.iter().map(route).collect()
}

#[test]
fn limits_count_by_key_and_by_route() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section(
            "limits.token",
            "key = \"token\"\nrequests = \"1/m\"\nburst = 2",
        )
        .section(
            "limits.cookie",
            "key = \"cookie:sid\"\nrequests = \"1/m\"\nburst = 1\nshared = true",
        )
        .section(
            "limits.watch",
            "key = \"header:X-User\"\nrequests = \"1/m\"\nburst = 1\ndry_run = true",
        )
        .section(
            "limits.home",
            "requests = \"1/m\"\nburst = 1\nexempt = [\"127.0.0.0/8\"]",
        )
        .more_routes(&routes(&[
            ("/a", "limits = [\"token\"]"),
            ("/b", "limits = [\"token\"]"),
            ("/c", "limits = [\"cookie\"]"),
            ("/d", "limits = [\"cookie\"]"),
            ("/watch", "limits = [\"watch\"]"),
            ("/home", "limits = [\"home\"]"),
        ]))
        .start();
    let mut client = edge.plain();
    let mut status = |path: &str, fields: &str| client.exchange(get(path, fields)).status;
    let (one, two) = ("Authorization: Bearer 1\r\n", "Authorization: Bearer 2\r\n");
    assert_eq!(
        [status("/a", one), status("/a", one), status("/a", one)],
        [200, 200, 429]
    );
    assert_eq!(status("/a", two), 200, "another token");
    assert_eq!(status("/b", one), 200, "another route");
    assert_eq!(status("/a", ""), 200, "no token: by address");
    let cookie = "Cookie: x=1; sid=7\r\n";
    assert_eq!(
        [status("/c", cookie), status("/d", cookie)],
        [200, 429],
        "one count"
    );
    assert_eq!(
        [status("/home", ""), status("/home", "")],
        [200, 200],
        "exempt"
    );
    let user = "X-User: u\r\n";
    assert_eq!([status("/watch", user), status("/watch", user)], [200, 200]);
    edge.log_line(|line| line["error"] == "limited_dry_run");

    let refused = edge.plain().exchange(get("/a", one));
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.header("ratelimit-policy"),
        Some("\"token\";q=2;w=120")
    );
    let secs = refused.header("retry-after").expect("when to come back");
    assert!(
        (1..=60).contains(&secs.parse::<u32>().expect("seconds")),
        "{secs}"
    );
    let left = refused.header("ratelimit").expect("what is left");
    assert_eq!(left, format!("\"token\";r=0;t={secs}"));
}

#[test]
fn a_paced_route_delays_and_a_busy_one_refuses() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .section(
            "limits.paced",
            "requests = \"4/s\"\nburst = 10\ndelay = \"1s\"",
        )
        .section("limits.busy", "concurrent = 1")
        .section("limits.streams", "streams = 1")
        .more_routes(&routes(&[
            ("/paced", "limits = [\"paced\"]\nrewrite = \"/headers\""),
            ("/slow", "limits = [\"busy\"]"),
            ("/sse", "limits = [\"streams\"]"),
        ]))
        .start();
    let start = Instant::now();
    let mut client = edge.plain();
    for _ in 0..4 {
        assert_eq!(client.exchange(get("/paced", "")).status, 200);
    }
    // The second to the fourth wait a quarter of a second each.
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(700), "{took:?}");

    let mut busy = edge.plain();
    busy.send(get("/slow?ms=1500", ""));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(edge.plain().exchange(get("/slow?ms=1", "")).status, 429);
    assert_eq!(busy.response(false).status, 200);
    assert_eq!(
        edge.plain().exchange(get("/slow?ms=1", "")).status,
        200,
        "given back"
    );
}

#[test]
fn networks_bodies_and_pages() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    std::fs::write(setup.dir.path().join("404.html"), "<h1>nothing here</h1>").expect("our own");
    std::fs::write(setup.dir.path().join("any.json"), "{\"error\":true}").expect("our own");
    let edge = setup
        .hosts(
            "[[host]]\nnames = [\"pages.localhost\"]\n\
             error_pages = [\"4xx: any.json\", \"404: 404.html\"]\n\
             [[host.route]]\npath = \"/denied\"\ndeny = [\"127.0.0.0/8\"]\nupstream = \"origin\"\n\
             [[host.route]]\npath = \"/elsewhere\"\nallow = [\"192.0.2.0/24\"]\nupstream = \"origin\"\n\
             [[host.route]]\npath = \"/here\"\nallow = [\"127.0.0.1\"]\nupstream = \"origin\"\n\
             [[host.route]]\npath = \"/small\"\nmax_body = \"10B\"\nupstream = \"origin\"\n",
        )
        .start();
    let ask = |head: &str| {
        let request = format!("{head} HTTP/1.1\r\nHost: pages.localhost\r\n\r\n");
        let response = edge.plain().exchange(request);
        (
            response.status,
            response.text(),
            response.header("content-type").unwrap_or("").to_owned(),
        )
    };
    let json = ("{\"error\":true}".to_owned(), "application/json".to_owned());
    for path in ["/denied", "/elsewhere/x"] {
        assert_eq!(
            ask(&format!("GET {path}")),
            (403, json.0.clone(), json.1.clone())
        );
    }
    let (status, page, kind) = ask("GET /none");
    assert_eq!((status, page.as_str()), (404, "<h1>nothing here</h1>"));
    assert_eq!(kind, "text/html; charset=utf-8");
    assert_eq!(ask("GET /here").0, 200);

    let post = |framing: &str, body: &str| {
        let mut client = edge.plain();
        client.send(format!(
            "POST /small HTTP/1.1\r\nHost: pages.localhost\r\n{framing}\r\n\r\n{body}"
        ));
        client.response(false).status
    };
    let before = upstream.received().matches("POST /small").count();
    assert_eq!(post("Content-Length: 11", "01234567890"), 413);
    assert_eq!(
        upstream.received().matches("POST /small").count(),
        before,
        "not even asked"
    );
    assert_eq!(post("Content-Length: 10", "0123456789"), 200);
}

#[test]
fn users_are_counted_by_name_and_told_what_is_left() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let keys = "ann first-key-of-ann\nann second-key-of-ann\nbob the-key-of-robert\n";
    std::fs::write(setup.dir.path().join("keys"), keys).expect("our own");
    let edge = setup
        .section(
            "limits.user",
            "key = \"user\"\nrequests = \"1/m\"\nburst = 3\nheaders = true",
        )
        .section(
            "limits.day",
            "key = \"everybody\"\nrequests = \"100/h\"\nburst = 100\nheaders = true",
        )
        .more_routes(&routes(&[
            (
                "/keys",
                "limits = [\"user\", \"day\"]\n[host.route.api_keys]\nfile = \"keys\"",
            ),
            ("/open", "limits = [\"user\"]"),
        ]))
        .start();
    let mut client = edge.plain();
    let mut ask =
        |key: &str| client.exchange(get("/keys", &format!("Authorization: Bearer {key}\r\n")));
    let first = ask("first-key-of-ann");
    assert_eq!(first.status, 200);
    assert_eq!(
        first.header("ratelimit-policy"),
        Some("\"day\";q=100;w=3600, \"user\";q=3;w=180")
    );
    assert_eq!(
        first.header("ratelimit"),
        Some("\"day\";r=99;t=36, \"user\";r=2;t=60")
    );
    let second = ask("second-key-of-ann");
    let left = second.header("ratelimit").expect("what is left");
    assert!(left.contains("\"user\";r=1;"), "both are hers: {left}");
    let third = ask("first-key-of-ann");
    let left = third.header("ratelimit").expect("what is left");
    assert!(left.contains("\"user\";r=0;"), "{left}");
    let refused = ask("second-key-of-ann");
    assert_eq!(refused.status, 429);
    let left = refused.header("ratelimit").expect("what is left");
    assert!(left.starts_with("\"user\";r=0;t="), "{left}");
    assert_eq!(ask("the-key-of-robert").status, 200);
    assert_eq!(
        ask("nobody-has-this-one").status,
        401,
        "a stranger counts as nobody"
    );
    // Where nobody is asked who he is, it is his address that counts.
    let open = || edge.plain().exchange(get("/open", "")).status;
    assert_eq!([open(), open(), open(), open()], [200, 200, 200, 429]);
}

#[test]
fn streams_are_counted_while_they_are_open() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .section("limits.streams", "streams = 2")
        .more_routes(&routes(&[("/sse", "limits = [\"streams\"]")]))
        .start();
    let events = get(
        "/sse?n=1000&interval_ms=50",
        "Accept: text/event-stream\r\n",
    );
    let mut open: Vec<_> = (0..2).map(|_| edge.plain()).collect();
    for stream in &mut open {
        stream.send(&events);
        stream.read_until("data:", Duration::from_secs(10));
    }
    assert_eq!(edge.plain().exchange(&events).status, 429);
    // What is no stream is not counted.
    assert_eq!(
        edge.plain()
            .exchange(get("/sse?n=1&interval_ms=1", ""))
            .status,
        200
    );
    drop(open.pop());
    let given_back = crate::support::wait_until(Duration::from_secs(10), || {
        let mut another = edge.plain();
        another.send(&events);
        another.has_read("HTTP/1.1 200", Duration::from_secs(5))
    });
    assert!(given_back, "a stream that has ended counts no more");
}

#[test]
fn openings_are_counted_apart_from_what_is_open() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .section("limits.opens", "opens = \"1/h\"\nopens_burst = 2")
        .more_routes(&routes(&[("/sse", "limits = [\"opens\"]")]))
        .start();
    let ask = |fields: &str| {
        let mut client = edge.plain();
        client.send(get("/sse?n=1&interval_ms=1", fields));
        client.response(false)
    };
    let events = "Accept: text/event-stream\r\n";
    assert_eq!([ask(events).status, ask(events).status], [200, 200]);
    let refused = ask(events);
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(ask("").status, 200, "it opens nothing");
}

//! Header fields: what browsers are told, what rules change, and whose word about a client is taken.

use crate::support::{Answer, Demo, H2, Setup, Upstream, light};

const GET: &str = "GET /headers HTTP/1.1\r\nHost: localhost\r\n";

fn field<'a>(seen: &'a serde_json::Value, name: &str) -> Option<&'a str> {
    let values = seen["headers"][name].as_array()?;
    assert_eq!(values.len(), 1, "{name} in {seen}");
    values[0].as_str()
}

#[test]
fn browsers_are_told_to_be_careful() {
    let _machine = light();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Frame-Options: SAMEORIGIN\r\n\
                  Server: u\r\nStrict-Transport-Security: max-age=5\r\n\r\nok";
    let upstream = Upstream::start(Answer::Keep(answer.into()));
    let edge = Setup::new(upstream.address)
        .more_routes(
            "[[host.route]]\npath = \"/bare\"\nupstream = \"origin\"\nresponse_headers = [\n\
             \"-X-Content-Type-Options\", \"-Referrer-Policy\", \"-Server\",\n\
             \"+X-Trace: {request_id}\", \"X-Seen: {client_ip} {uri}\"]\n",
        )
        .start();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let careful = |response: &crate::support::Response, hsts: Option<&str>| {
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.header("referrer-policy"), Some("same-origin"));
        assert_eq!(response.header("strict-transport-security"), hsts);
    };
    let mut tls = edge.tls();
    let response = tls.exchange(get("/"));
    careful(&response, Some("max-age=5"));
    assert_eq!(response.header("x-frame-options"), Some("SAMEORIGIN"));
    // Answers of the edge's own as well: 405 comes from no upstream.
    let response = tls.exchange("TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(response.status, 501);
    careful(&response, Some("max-age=31536000"));
    assert_eq!(response.header("x-frame-options"), Some("DENY"));
    let response = edge.plain().exchange(get("/"));
    careful(&response, None);

    let mut h2 = H2::connect(edge.https, edge.authority());
    let response = h2
        .get_within(
            "/bare?x=%0d%0aSet-Cookie:%20a",
            std::time::Duration::from_secs(5),
        )
        .expect("an answer");
    assert_eq!(response.header("x-content-type-options"), None);
    assert_eq!(response.header("server"), None);
    assert_eq!(response.header("x-trace").map(str::len), Some(36));
    assert_eq!(
        response.header("x-seen"),
        Some("127.0.0.1 /bare?x=%0d%0aSet-Cookie:%20a")
    );
    assert_eq!(response.header("set-cookie"), None);
}

#[test]
fn requests_are_changed_on_their_way() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .section("forwarding", "forwarded = true\ntraceparent = true")
        .route(
            "request_headers = [\"Host: inner.example\", \"X-Who: {client_ip} {tls_version}\",\n\
             \"-X-Secret\", \"X-Copy: {header:X-Evil}\", \"X-Nothing: {cookie:none}\"]",
        )
        .start();
    let mut client = edge.tls();
    let seen = client
        .exchange(format!(
            "{GET}X-Secret: 1\r\nX-Evil: a\tb\u{e9}\r\nX-Request-Id: mine\r\n\r\n"
        ))
        .json();
    assert_eq!(field(&seen, "host"), Some("inner.example"));
    assert_eq!(field(&seen, "x-who"), Some("127.0.0.1 TLSv1.3"));
    assert_eq!(field(&seen, "x-secret"), None);
    assert_eq!(field(&seen, "x-nothing"), None);
    assert_eq!(
        field(&seen, "forwarded"),
        Some("for=127.0.0.1;proto=https;host=\"localhost\"")
    );
    let id = field(&seen, "x-request-id").expect("there is one");
    assert_eq!(id.len(), 36, "made, not taken from just anybody");
    let trace = field(&seen, "traceparent").expect("there is one");
    assert_eq!(trace.len(), 55, "{trace}");
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let seen = client
        .exchange(format!("{GET}traceparent: {given}\r\n\r\n"))
        .json();
    assert_eq!(field(&seen, "traceparent"), Some(given));
}

#[test]
fn the_client_is_who_a_trusted_proxy_says_it_is() {
    let _machine = light();
    let demo = Demo::start();
    let request = format!(
        "{GET}X-Forwarded-For: 6.6.6.6, 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Request-Id: from-cdn\r\n\r\n"
    );
    let trusting = Setup::new(demo.address)
        .section("forwarding", "trusted = [\"127.0.0.0/8\"]")
        .section("limit", "requests = \"1/m\"\nburst = 2")
        .start();
    let mut client = trusting.plain();
    let seen = client.exchange(&request).json();
    assert_eq!(field(&seen, "x-forwarded-for"), Some("198.51.100.7"));
    assert_eq!(field(&seen, "x-real-ip"), Some("198.51.100.7"));
    assert_eq!(field(&seen, "x-forwarded-proto"), Some("https"));
    assert_eq!(field(&seen, "x-request-id"), Some("from-cdn"));
    trusting.log_line(|line| {
        line["client"]
            .as_str()
            .is_some_and(|ip| ip.starts_with("198.51.100.7"))
    });
    // It has a limit of its own, and so have others behind the same proxy.
    assert_eq!(client.exchange(&request).status, 200);
    assert_eq!(client.exchange(&request).status, 429);
    let other = request.replace("198.51.100.7", "198.51.100.8");
    assert_eq!(client.exchange(&other).status, 200);

    let wary = Setup::new(demo.address).start();
    let seen = wary.plain().exchange(&request).json();
    assert_eq!(field(&seen, "x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(field(&seen, "x-forwarded-proto"), Some("http"));
    assert_ne!(field(&seen, "x-request-id"), Some("from-cdn"));
}

#[test]
fn the_field_that_names_the_client_is_the_one_that_was_chosen() {
    let _machine = light();
    let demo = Demo::start();
    let request = format!(
        "{GET}X-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 198.51.100.7\r\n\
         Forwarded: for=6.6.6.5, for=\"[2001:db8::7]:4711\";proto=https\r\n\r\n"
    );
    for (chosen, client, proto) in [
        ("X-Real-IP", "198.51.100.7", "http"),
        ("Forwarded", "2001:db8::7", "https"),
    ] {
        let forwarding = format!("trusted = [\"127.0.0.1\"]\nclient_field = \"{chosen}\"");
        let edge = Setup::new(demo.address)
            .section("forwarding", &forwarding)
            .start();
        let seen = edge.plain().exchange(&request).json();
        assert_eq!(field(&seen, "x-forwarded-for"), Some(client), "{chosen}");
        assert_eq!(field(&seen, "x-real-ip"), Some(client), "{chosen}");
        assert_eq!(field(&seen, "x-forwarded-proto"), Some(proto), "{chosen}");
        edge.log_line(|line| line["client"] == client);
    }
}

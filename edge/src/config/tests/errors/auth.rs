//! What hosts and routes ask of their clients.

use crate::config::RequestPart;
use crate::config::tests::support::{MINIMAL, after, host, load, route};

/// Each text stands in what is shown.
fn says(shown: &str, texts: &[&str]) {
    for text in texts {
        assert!(shown.contains(text), "no {text:?} in {shown}");
    }
}

#[test]
fn a_service_that_is_asked() {
    let table = |keys: &str| after(&format!("[host.route.auth_request]\n{keys}"));
    says(
        &table("path = \"verify\"\ntimeout = \"2m\"\ncache = \"2h\""),
        &[
            "edge.toml:5:1: [host.route.auth_request] has no `upstream`; add `upstream = ",
            "edge.toml:6:8: `path`: \"verify\" does not start with a slash; write \"/verify\"",
            "edge.toml:7:11: `timeout`: 2m is out of bounds; write 10ms to 1m",
            "edge.toml:8:9: `cache`: 2h is out of bounds; write 10ms to 1h",
        ],
    );
    says(
        &table("upstream = \"auth\"\npath = \"/a?b c\"\ncache_key = [\"token\", \"header:a b\"]"),
        &[
            "`upstream`: there is no upstream \"auth\"",
            "the query of \"/a?b c\" holds what has to be percent-encoded",
            "`cache_key`: has no meaning without `cache`",
            "`cache_key`: \"token\" is no part of a request; write \"address\", \"host\"",
            "`cache_key`: \"header:a b\" is no part of a request",
        ],
    );
    let own = "upstream = \"127.0.0.1:9\"\n";
    says(
        &table(&format!(
            "{own}request_headers = [\"Host\", \"Connection\"]\nrefusal_headers = [\"Date\"]\n\
             upstream_headers = \"X-User\"\nuser_header = \"X User\""
        )),
        &[
            "`request_headers`: \"Host\" is made by edge itself",
            "`request_headers`: \"Connection\" is about the connection, which edge keeps itself",
            "`refusal_headers`: \"Date\" is made by edge itself",
            "`upstream_headers`: must be a list of fields such as [\"X-User\"]; write [\"X-User\"]",
            "`user_header`: \"X User\" is not the name of a header field",
        ],
    );
    says(
        &table(&format!(
            "{own}cache = \"1m\"\ncache_key = []\ncached = true"
        )),
        &[
            "`cache_key`: is empty, so that one answer would stand for everybody",
            "unknown key `cached` in [host.route.auth_request]; did you mean `cache`?",
        ],
    );
    says(
        &route("upstream = \"127.0.0.1:1\"\nauth_request = true"),
        &[
            "edge.toml:5:16: `auth_request`: must be a table, under [host.route.auth_request], not true",
        ],
    );
    says(
        &host("names = [\"*\"]\nresponse_headers = [\"X-User: {user}\"]"),
        &["\"x-user\" names {user}, who is not known yet when answers are prepared"],
    );
}

#[test]
fn what_a_host_asks_holds_for_its_routes() {
    let config = load(
        "[[host]]\nnames = [\"*\"]\nauth_request = { upstream = \"127.0.0.1:9\", cache = \"1m\" }\n\
         redirect = \"https://a.example/\"\n\
         [[host.route]]\npath = \"/a\"\nupstream = \"127.0.0.1:1\"\n\
         [[host.route]]\npath = \"/open\"\nauth_request = \"off\"\nupstream = \"127.0.0.1:1\"\n",
    )
    .unwrap_or_else(|errors| panic!("{errors}"))
    .config;
    let routes = &config.hosts[0].routes;
    let request = routes[0].auth.request.as_ref().expect("of the host");
    assert_eq!(request.path, "/");
    assert_eq!(config.upstreams[request.upstream.0].name, "127.0.0.1:9");
    let fields = ["authorization", "cookie"].map(|name| RequestPart::Header(name.into()));
    let parts = [
        RequestPart::Address,
        RequestPart::Host,
        RequestPart::Method,
        RequestPart::Uri,
    ];
    assert_eq!(request.cache_key, [&parts[..], &fields[..]].concat());
    assert!(routes[1].auth.is_none());
    assert!(
        routes[2].auth.request.is_some(),
        "the redirect is behind it"
    );
    let none = load(MINIMAL).expect("valid").config;
    assert!(none.hosts[0].routes[0].auth.is_none());
}

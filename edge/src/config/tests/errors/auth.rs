//! What hosts and routes ask of their clients.

use crate::config::tests::support::{MINIMAL, after, errors, host, load, route};
use crate::config::{Loaded, RequestPart};

/// Each text stands in what is shown.
fn says(shown: &str, texts: &[&str]) {
    for text in texts {
        assert!(shown.contains(text), "no {text:?} in {shown}");
    }
}

#[test]
fn claims_where_nobody_checks_tokens() {
    let jwt = "[host.route.jwt]\nissuer = \"https://a.example\"\naudiences = [\"x\"]";
    let upstream = "upstream = \"127.0.0.1:1\"";
    let told = format!("{upstream}\nrequest_headers = [\"A: b\", \"X-Tenant: {{claim:tenant}}\"]");
    says(
        &route(&told),
        &[
            "edge.toml:5:19: `request_headers`: {claim:tenant} would be empty, for nobody checks tokens \
           here; add [host.route.jwt]",
        ],
    );
    let made = format!("path = \"/a\"\n{upstream}\nrewrite = \"/{{claim:tenant}}{{rest}}\"");
    says(&route(&made), &["`rewrite`: {claim:tenant} would be empty"]);
    says(
        &route("redirect = \"/{claim:tenant}\""),
        &["`redirect`: {claim:tenant} would be empty"],
    );
    let host =
        "[[host]]\nnames = [\"*\"]\nrequest_headers = [\"X: {claim:tenant}\"]\n[[host.route]]\n";
    let of_host = format!("{host}{upstream}");
    says(
        &errors(&of_host),
        &[
            "edge.toml:3:19: `request_headers`: {claim:tenant} would be empty, for no route here checks",
        ],
    );
    assert!(load(&format!("{of_host}\n{jwt}")).is_ok());
    for good in [told, made] {
        let text = format!(
            "{}{good}\n{jwt}",
            "[[host]]\nnames = [\"*\"]\n[[host.route]]\n"
        );
        assert!(load(&text).is_ok(), "{text}");
    }
    says(
        &route(&format!(
            "{upstream}\n[host.route.mcp.auth]\nissuer = \"https://a.example\""
        )),
        &["unknown key `auth` in [host.route.mcp]; tokens are asked for by [host.route.jwt]"],
    );
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
        &[
            "\"x-user\" names {user} or {claim:NAME}, which are not known yet when answers are prepared",
        ],
    );
}

#[test]
fn tokens() {
    let table = |keys: &str| after(&format!("[host.route.jwt]\n{keys}"));
    says(
        &table("issuers = \"https://as\"\nleeway = \"1h\"\naudiences = \"a\""),
        &[
            "unknown key `issuers` in [host.route.jwt]; did you mean `issuer`?",
            "edge.toml:7:10: `leeway`: 1h is out of bounds; write 0s to 10m",
            "`audiences`: must be a list of texts; write [\"a\"]",
        ],
    );
    says(
        &table("issuer = \"auth.example.com\"\naudiences = []"),
        &[
            "edge.toml:6:10: `issuer`: ",
            "`audiences`: is empty, so that no token would be good",
        ],
    );
    let issuer = "issuer = \"https://as.example\"";
    says(
        &table(issuer),
        &[
            "edge.toml:5:1: [host.route.jwt] does not say what tokens must be meant for; add `audiences = ",
        ],
    );
    says(
        &table(&format!("{issuer}\naudiences = [\"a\"]\n[host.route.mcp]")),
        &["clients of `mcp` find out from [host.route.jwt] where to get a token; add `resource = "],
    );
    says(
        &table(&format!(
            "{issuer}\naudiences = [\"a\"]\n[host.route.basic_auth]\nfile = \"users\""
        )),
        &["`basic_auth` and `jwt` both want `Authorization`; leave one of them out"],
    );
    let counted = "[limits.tenant]\nkey = \"claim:tenant\"\nrequests = \"1/s\"";
    let of_route = |keys: &str| {
        format!(
            "[[host]]\nnames = [\"*\"]\n[[host.route]]\nupstream = \"127.0.0.1:1\"\n\
             limits = [\"tenant\"]\n{keys}\n{counted}\n"
        )
    };
    let unchecked = load(&of_route("")).expect_err("nobody checks tokens");
    says(
        &unchecked.to_string(),
        &[
            "edge.toml:5:10: the limit \"tenant\" counts by \"claim:tenant\", and nobody checks tokens here",
        ],
    );
    let checked = format!("[host.route.jwt]\n{issuer}\naudiences = [\"a\"]");
    let config = load(&of_route(&checked)).expect("valid").config;
    let route = &config.hosts[0].routes[0];
    assert_eq!(route.claims(), ["tenant"]);
    assert!(
        load(&of_route("jwt = \"off\"")).is_ok(),
        "by address, as it is meant"
    );
}

#[test]
fn passwords_and_keys() {
    let table = |keys: &str| after(&format!("[host.route.{keys}"));
    says(
        &table("basic_auth]\nrealm = 'say \"friend\"'\nusers = []"),
        &[
            "`realm`: \"say \\\"friend\\\"\" cannot stand in a challenge",
            "[host.route.basic_auth] has no `file`; add `file = \"users.htpasswd\"`",
            "unknown key `users` in [host.route.basic_auth]",
        ],
    );
    says(
        &table("api_keys]\nheader = \"Cookie\""),
        &[
            "`header`: \"Cookie\" is no place for a key",
            "[host.route.api_keys] has neither `file` nor `keys`",
        ],
    );
    let hash = format!("sha256:{}", "0".repeat(64));
    says(
        &table(&format!(
            "api_keys]\nkeys = [\"ci\", \"ci 0123456789abcdef\", 3,\n\"a {hash}\",\n\"b {hash}\"]\nfile = \"\""
        )),
        &[
            "`keys`: is no name and key; write `name sha256:HEX`",
            "`keys`: lacks `sha256:` and 64 hexadecimal digits",
            "`keys`: must be a name and a hash, not the number 3",
            "edge.toml:8:1: `keys`: this key is there twice",
            "`file`: the path is empty",
        ],
    );
    says(
        &table(&format!(
            "api_keys]\nkeys = [\"ci {hash}\"]\n[host.route.basic_auth]\nfile = \"u\""
        )),
        &["both want `Authorization`; write `header = \"X-API-Key\"`"],
    );
    says(
        &host("names = [\"*\"]\nbasic_auth = \"users\""),
        &["`basic_auth`: must be a table, under [host.route.basic_auth], not the text \"users\""],
    );
}

#[test]
fn files_of_passwords_and_keys() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("edge.toml");
    let text = "[[host]]\nnames = [\"*\"]\nbasic_auth = { file = \"users\" }\n\
                [[host.route]]\napi_keys = { file = \"keys\", header = \"X-Key\" }\nupstream = \"127.0.0.1:1\"\n";
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("written");
    };
    let load = || Loaded::load(&path).map_err(|errors| errors.to_string());
    write("edge.toml", text);
    says(
        &load().expect_err("there are none"),
        &[
            "edge.toml:3:23: ",
            "users cannot be read: No such file",
            "edge.toml:5:21: ",
        ],
    );
    write("users", "ann:$apr1$x$y\n");
    write("keys", "# ours\n\nci short\n");
    says(
        &load().expect_err("both are wrong"),
        &[
            "users line 1: the password of \"ann\" is hashed in a way that is easily broken",
            "keys line 3: the key has 5 bytes",
        ],
    );
    write(
        "users",
        "ann:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n",
    );
    write("keys", "ci 0123456789abcdef\nci 0123456789abcdeg\n");
    let config = load().unwrap_or_else(|errors| panic!("{errors}")).config;
    let auth = &config.hosts[0].routes[0].auth;
    assert!(
        auth.basic
            .as_ref()
            .is_some_and(|basic| basic.users.find("ann").is_some())
    );
    assert_eq!(auth.keys.as_ref().map(|keys| keys.names.len()), Some(2));
    assert_eq!(config.files().len(), 2, "both are watched");
    assert!(!format!("{config:?}").contains("0123456789"));
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

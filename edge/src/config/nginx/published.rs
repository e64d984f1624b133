//! Files as they are published: guides for WordPress and Nextcloud, single-page applications, Jenkins.

use std::path::Path;

use super::import;
use super::tests::{comments, converted, sample};
use crate::config::{
    Action, Attempt, Config, FilesAction, LimitKey, PathMatch, Policy, Rewrite, Route,
};

pub(super) fn route<'a>(config: &'a Config, path: &str) -> &'a Route {
    let mut routes = config.hosts.iter().flat_map(|host| &host.routes);
    let found = routes.find(|route| match &route.when.path {
        PathMatch::Prefix(known) | PathMatch::Exact(known) => known == path,
        PathMatch::Regex(regex) => regex.as_str() == path,
    });
    found.unwrap_or_else(|| panic!("no route for {path}"))
}

/// The status that the edge itself answers with.
pub(super) fn answer(route: &Route) -> Option<u16> {
    match &route.action {
        Action::Respond(answer) => Some(answer.status.as_u16()),
        _ => None,
    }
}

pub(super) fn files(route: &Route) -> Option<&FilesAction> {
    match &route.action {
        Action::Files(files) => Some(files),
        _ => None,
    }
}

pub(super) fn rewrite(route: &Route) -> &Rewrite {
    match &route.action {
        Action::Proxy(action) => &action.rewrite,
        action => panic!("{action:?}"),
    }
}

#[test]
fn every_file_becomes_a_configuration_and_nothing_is_dropped_unsaid() {
    let mut count = 0;
    for file in std::fs::read_dir(sample("published")).expect("they are there") {
        let name = file.expect("a file").file_name();
        let (text, left_out, _) = converted(&format!("published/{}", name.to_string_lossy()));
        assert_eq!(left_out, comments(&text), "{text}");
        assert!(!text.contains("not known to the conversion"), "{text}");
        count += 1;
    }
    assert!(count >= 10, "{count}");
}

/// What PHP would have answered must not be answered with its source.
#[test]
fn what_cannot_be_carried_over_is_not_left_to_files() {
    let (text, _, config) = converted("published/wordpress.conf");
    assert_eq!(answer(route(&config, r"\.php$")), Some(502), "{text}");
    assert!(files(route(&config, "/")).is_some());
    assert_eq!(answer(route(&config, "/xmlrpc.php")), Some(403));
    assert_eq!(answer(route(&config, "/50x.html")), Some(404), "internal");
    let (_, _, config) = converted("published/sse.conf");
    // Expressions come before prefixes, and nginx asks this one before them.
    assert_eq!(answer(route(&config, "^/files/")), Some(404), "internal");
    let (_, _, config) = converted("published/mtls-grpc.conf");
    assert_eq!(answer(route(&config, "/secure.Greeter")), Some(502));
}

/// What browsers ask before they ask is answered as it was.
#[test]
fn pages_of_other_origins() {
    let (text, left_out, config) = converted("published/cors.conf");
    assert_eq!(left_out, 0, "{text}");
    let routes = &config.hosts[0].routes;
    let first = route(&config, "/mcp");
    assert_eq!((routes.len(), answer(first)), (2, Some(204)), "{text}");
    assert_eq!(first.when.methods, [http::Method::OPTIONS]);
    insta::assert_snapshot!(text);
}

#[test]
fn a_page_with_its_api() {
    let (text, _, config) = converted("published/spa-api.conf");
    let api = route(&config, "/api");
    assert_eq!(rewrite(api), &Rewrite::StripPrefix);
    assert!(text.contains("request_headers = [\"Host: api\"]"), "{text}");
    assert_eq!(api.body_bytes_max, Some(20 << 20));
    let limits: Vec<_> = api.limits.iter().map(|limit| &limit.key).collect();
    assert_eq!(limits, [&LimitKey::Address, &LimitKey::Address]);
    assert_eq!(api.limits[0].rate.map(|rate| rate.burst), Some(41));
    assert_eq!(api.limits[1].concurrent, Some(10));
    let upstream = &config.upstreams[api.action.upstream().expect("it has one").0];
    assert!(upstream.servers[2].backup && upstream.servers[0].weight == 3);
    assert_eq!(
        files(route(&config, "/")).and_then(|f| f.fallback.as_deref()),
        Some("index.html")
    );
    // nginx sends both: what `expires` makes and what is added.
    assert!(
        text.contains("\"+Cache-Control: public, immutable\""),
        "{text}"
    );
    let upgrades = text.matches("$connection_upgrade").count();
    assert_eq!(upgrades, 0, "nothing is lost with it: {text}");
}

#[test]
fn paths_made_anew_and_servers_picked() {
    let (text, _, config) = converted("published/cloudflare.conf");
    assert_eq!(
        rewrite(route(&config, "/api")),
        &Rewrite::StripPrefix,
        "{text}"
    );
    assert!(text.contains("rewrite = \"/old{rest}\""), "{text}");
    assert_eq!(rewrite(route(&config, "/whole")), &Rewrite::Keep);
    assert!(config.listen.close_unknown);
    assert_eq!(answer(route(&config, "/gone")), Some(410));
    // Cloudflare says who asks in X-Forwarded-For too.
    assert_eq!(config.forwarding.trusted.len(), 2);
    assert!(text.contains("instead of CF-Connecting-IP"), "{text}");
    let (text, _, config) = converted("published/cache.conf");
    assert!(text.contains("rewrite = \"/resize/{1}/{2}\""), "{text}");
    assert!(config.hosts[0].routes.iter().any(|route| matches!(
        &route.action,
        Action::Proxy(action) if action.cache.is_some()
    )));
    let (text, _, config) = converted("published/sse.conf");
    assert!(
        text.contains("request_headers = [\"X-Tenant: {1}\"]"),
        "{text}"
    );
    let mut upstreams = config.upstreams.iter();
    let mcp = upstreams.find(|upstream| upstream.name == "mcp");
    let expected = Policy::HashField("mcp-session-id".to_owned());
    assert_eq!(mcp.map(|mcp| &mcp.policy), Some(&expected));
}

/// `try_files $uri @name`, of a location and of a server.
#[test]
fn files_before_an_application() {
    let (text, _, config) = converted("published/rails.conf");
    let tried = |path: &str| {
        let action = &route(&config, path).action;
        assert!(action.upstream().is_some(), "{path}: {text}");
        let tries = action.files().map(|files| files.tries.clone());
        tries.unwrap_or_default()
    };
    let below = Attempt::With("/index.html".to_owned());
    assert_eq!(tried("/"), [below, Attempt::Path]);
    assert_eq!(tried("/private"), [Attempt::Path]);
    assert!(route(&config, "/private").auth.basic.is_some(), "{text}");
    assert_eq!(tried("/media"), [], "an alias is for files alone");
    let assets = files(route(&config, "^/assets/")).expect("nothing else");
    assert_eq!(assets.tries, [Attempt::Path, Attempt::Directory]);
}

/// A list of networks that are refused is `deny`; with exceptions, or cut short, it is none.
#[test]
fn networks_that_a_condition_refuses() {
    let dir = tempfile::tempdir().expect("a directory");
    let converted = |rules: &str| {
        let file = dir.path().join("nginx.conf");
        let text = format!(
            "geo $bad {{ default 0; {rules} }}\n\
             server {{ listen 80; server_name a.example; if ($bad) {{ return 403; }}\n\
             location / {{ proxy_pass http://127.0.0.1:8000; }}\n\
             location /own {{ allow 10.0.0.0/8; deny all; proxy_pass http://127.0.0.1:8000; }} }}"
        );
        std::fs::write(&file, text).expect("our own");
        let imported = import(&[file]).expect("nginx reads it");
        assert_eq!(
            imported.left_out,
            comments(&imported.toml),
            "{}",
            imported.toml
        );
        let config = Config::parse(&imported.toml, Path::new("edge.toml"));
        let config = config.unwrap_or_else(|errors| panic!("{errors}\n{}", imported.toml));
        (imported.toml, answer(route(&config, "/")))
    };
    let (text, answer) = converted("203.0.113.0/24 1; 2001:db8::/32 1;");
    assert_eq!(answer, None, "{text}");
    let denied = "deny = [\"203.0.113.0/24\", \"2001:db8::/32\"]";
    assert_eq!(text.matches(denied).count(), 2, "{text}");
    assert!(
        text.contains("allow = [\"10.0.0.0/8\"]") && !text.contains("geo $bad"),
        "{text}"
    );
    for rules in [
        "203.0.113.0/24 1; 203.0.113.5 0;",
        "203.0.113.0/24 1; include gone.geo;",
        "ranges; 203.0.113.0-203.0.113.9 1;",
    ] {
        let (text, answer) = converted(rules);
        assert_eq!(answer, Some(503), "{rules}: {text}");
    }
}

#[test]
fn a_file_that_is_not_there_is_no_directive() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("nginx.conf");
    let text = "types { include gone.types; text/x-own own; }\n\
                upstream u { include gone.servers; server 127.0.0.1:8000; }\n\
                server { listen 80; server_name a.example; root /srv; include gone.conf;\n\
                location /u { include gone.conf; proxy_pass http://u; }\n\
                location /g { include snippets/basic-auth.conf; proxy_pass http://u; } }";
    std::fs::write(&file, text).expect("our own");
    let imported = import(&[file]).expect("nginx reads it");
    let text = &imported.toml;
    let config = Config::parse(text, Path::new("edge.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!((imported.left_out, comments(text)), (5, 5), "{text}");
    let answers = ["/u", "/g"].map(|path| answer(route(&config, path)));
    assert_eq!(answers, [None, Some(503)], "{text}");
    assert!(
        text.contains("text/x-own") && !text.contains("gone.types\"]"),
        "{text}"
    );
}

/// nginx counts nobody whose key is empty.
#[test]
fn networks_that_a_zone_does_not_count() {
    let (text, _, config) = converted("published/geo.conf");
    let limits = &route(&config, "/").limits;
    assert_eq!(limits.len(), 1, "{text}");
    assert_eq!(limits[0].key, LimitKey::Address);
    let exempt: Vec<String> = limits[0].exempt.iter().map(ToString::to_string).collect();
    assert_eq!(exempt, ["10.0.0.0/8", "192.168.0.0/24"]);
    assert!(
        !text.contains("geo $limit") && !text.contains("map $limit"),
        "{text}"
    );
    assert!(text.contains("map $http_user_agent $bad_bot"), "{text}");
}

#[test]
fn names_that_only_lead_elsewhere() {
    let (text, _, config) = converted("published/certbot.conf");
    let names: Vec<Vec<String>> = config
        .hosts
        .iter()
        .map(|host| host.names.iter().map(ToString::to_string).collect())
        .collect();
    assert_eq!(
        names,
        [["app.example.com"], ["www.app.example.com"]],
        "{text}"
    );
    assert!(
        text.contains("redirect = \"https://app.example.com{uri}\""),
        "{text}"
    );
    assert!(text.contains("no server with a certificate answers to old.example.com"));
}

#[test]
fn what_a_location_says_holds_in_those_inside() {
    let (text, _, config) = converted("published/nested.conf");
    let limits = |path: &str| -> Vec<&str> {
        let limits = route(&config, path).limits.iter();
        limits.map(|limit| limit.name.as_str()).collect()
    };
    for path in ["/api", "/api/v2", "/api/upload", "^/api/v1/"] {
        assert_eq!(limits(path), ["api-20", "conns-10"], "{path} in {text}");
    }
    assert_eq!(limits("/api/new"), ["keys-5-dry", "conns-10"]);
    assert!(route(&config, "/api/new").limits[0].dry_run);
    let body = |path: &str| route(&config, path).body_bytes_max;
    assert_eq!(
        (body("/api/v2"), body("/api/upload")),
        (Some(4 << 20), Some(100 << 20))
    );
    assert_eq!(text.matches("default-src 'self'").count(), 5, "{text}");
    assert_eq!(text.matches("X-Tier: public").count(), 3, "{text}");
    assert!(text.contains("(expressions are no names"), "{text}");
}

#[test]
fn pages_that_have_moved() {
    let (text, _, config) = converted("published/shop.conf");
    assert!(text.contains("redirect = \"/p/{1}?{query}\""), "{text}");
    assert!(
        text.contains("redirect = \"https://blog.example.com/{1}\""),
        "{text}"
    );
    let moved = r"^/products/(\d+)/[^/]*$";
    assert!(matches!(
        &route(&config, moved).action,
        Action::Redirect(redirect) if redirect.status == 301
    ));
    // An exact path comes first here, where nginx would have sent its clients away.
    assert!(
        text.contains("not carried over: shop.conf:13: rewrite ^/legacy/(.*)$"),
        "{text}"
    );
    let user = route(&config, r"^/users/(?<uid>\d+)/(.*)$");
    assert!(matches!(rewrite(user), Rewrite::To(_)), "{text}");
}

#[test]
fn certificates_that_a_server_asks_of_everybody() {
    let (text, _, config) = converted("published/mtls.conf");
    assert!(text.contains("client_certificate = \"required\""), "{text}");
    assert_eq!(answer(route(&config, "/")), None, "{text}");
    assert!(text.contains("(servers get Client-Cert"), "{text}");
}

#[test]
fn servers_of_grpc_speak_http2() {
    let (text, _, config) = converted("published/mtls-grpc.conf");
    let greeter = route(&config, "/helloworld.Greeter");
    let upstream = &config.upstreams[greeter.action.upstream().expect("it has one").0];
    assert!(upstream.protocol.is_h2(), "{text}");
    assert!(
        text.contains("request_headers = [\"X-Tier: inner\"]"),
        "{text}"
    );
    assert!(text.contains("response_timeout = \"1h\""), "{text}");
    // It is asked over HTTP/1.1 too, at another address of the same pool.
    assert!(
        text.contains("[upstream.pool]") && text.contains("[upstream.pool_h2]"),
        "{text}"
    );
    let spaced = route(&config, "/with%20space/caf%C3%A9");
    assert_eq!(spaced.when.methods.len(), 1, "{text}");
    assert!(!text.contains("if ($request_method"), "{text}");
}

#[test]
fn programs_are_not_answered_by_something_else() {
    let (text, _, config) = converted("published/openresty.conf");
    let answers = ["/hello", "/guarded", "/"].map(|path| answer(route(&config, path)));
    assert_eq!(answers, [Some(502), Some(503), None], "{text}");
}

#[test]
fn pages_for_errors_are_those_that_are_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let errors = dir.path().join("errors");
    std::fs::create_dir(&errors).expect("our own");
    for name in ["404.html", "50x.html"] {
        std::fs::write(errors.join(name), "<h1>no</h1>").expect("our own");
    }
    let root = dir.path().display();
    let text = format!(
        "server {{ listen 80; server_name a.example; root {root}/none;\n\
         error_page 404 /404.html;\nerror_page 500 502 /50x.html;\nerror_page 403 /403.html;\n\
         error_page 401 = @login;\nerror_page 405 =200 /index.html;\n\
         location = /404.html {{ root {root}/errors; internal; }}\n\
         location = /50x.html {{ alias {root}/errors/50x.html; }}\n\
         location / {{ proxy_pass http://127.0.0.1:8000; }} }}"
    );
    let file = dir.path().join("nginx.conf");
    std::fs::write(&file, text).expect("our own");
    let imported = import(&[file]).expect("nginx reads it");
    let text = &imported.toml;
    let config = Config::parse(text, Path::new("edge.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    let statuses: Vec<u16> = config.hosts[0]
        .error_pages
        .iter()
        .map(|page| page.first)
        .collect();
    assert_eq!(statuses, [404, 500, 502], "{text}");
    assert!(text.contains("403.html is not on this machine"), "{text}");
    assert!(text.contains("(the status stays what it is)"), "{text}");
    assert_eq!(imported.left_out, comments(text));
}

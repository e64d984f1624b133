//! `[host.route.files]`, `[host.route.cache]` and `[host.route.compress]`.

use super::routing::says;
use std::time::Duration;

use crate::config::tests::support::{after, load, route};
use crate::config::{Action, CacheRules, FilesAction};

#[test]
fn wrong_values_of_files() {
    says(
        &route("files = true"),
        &["edge.toml:4:9: `files`: must be a directory such as \"/srv/www\", or a table"],
    );
    says(
        &route("files = \"\""),
        &["edge.toml:4:9: `files`: the path is empty"],
    );
    says(
        &route("[host.route.files]\nhiden = true"),
        &[
            "edge.toml:5:1: unknown key `hiden` in [host.route.files]; did you mean `hidden`?",
            "[host.route.files] has no `root`; add `root = \"/srv/www\"`",
        ],
    );
    says(
        &route("redirect = \"/x\"\nfiles = \"www\""),
        &["edge.toml:5:9: `files`: there is `redirect` already"],
    );
    says(
        &route("upstream = \"127.0.0.1:1\"\nfiles = { root = \"www\", fallback = \"/x\" }"),
        &["`fallback`: would leave nothing to the `upstream` of the route"],
    );
    says(
        &route("upstream = \"127.0.0.1:1\"\nmcp = true\nfiles = \"www\""),
        &["edge.toml:6:9: `files`: requests of MCP are for no file"],
    );
    says(
        &route("regex = \"^/a\"\nfiles = \"www\"\nstrip_prefix = true\nkeep_alive = \"1s\""),
        &[
            "`strip_prefix`: an expression is no prefix",
            "`keep_alive`: has no meaning without `upstream`",
        ],
    );
    says(
        &route(
            "[host.route.files]\nroot = \"www\"\nindex = [\"a/b\", \"..\"]\n\
             fallback = \"index.html\"\nprecompressed = \"br\"\nhidden = 1\n\
             cache_control = \"a\\nb\"",
        ),
        &[
            "edge.toml:6:10: `index`: \"a/b\" is not the name of a file",
            "edge.toml:6:17: `index`: \"..\" is not the name of a file",
            "`fallback`: \"index.html\" is no path of a file in it; write \"/index.html\"",
            "`precompressed`: must be true or false",
            "`hidden`: must be true or false",
            "`cache_control`: \"a\\nb\" is no value of Cache-Control",
        ],
    );
    says(
        &route(
            "[host.route.files]\nroot = \"www\"\nindex = \"index.html\"\n\
             fallback = \"/a/../b\"",
        ),
        &[
            "`index`: must be a list of names such as [\"index.html\"]",
            "`fallback`: \"/a/../b\" is no path of a file in it",
        ],
    );
}

#[test]
fn a_directory_alone_or_a_table() {
    let read = |lines: &str| -> FilesAction {
        let text = format!("[[host]]\nnames = [\"*\"]\n[[host.route]]\n{lines}\n");
        let config = load(&text)
            .unwrap_or_else(|errors| panic!("{errors}"))
            .config;
        match &config.hosts[0].routes[0].action {
            Action::Files(files) => (**files).clone(),
            other => panic!("{other:?}"),
        }
    };
    let short = read("files = \"www\"\nstrip_prefix = true");
    assert_eq!(short.root.to_str(), Some("www"), "beside edge.toml");
    assert_eq!(short.index, ["index.html"]);
    assert!(short.strip_prefix && !short.precompressed && !short.hidden);
    let long = read("[host.route.files]\nroot = \"/srv\"\nfallback = \"/a/b.html\"\nindex = []");
    assert_eq!(long.fallback.as_deref(), Some("a/b.html"));
    assert!(long.index.is_empty() && !long.strip_prefix);
}

#[test]
fn wrong_values_of_a_cache() {
    says(
        &route("respond = 204\ncache = true"),
        &["edge.toml:5:9: `cache`: has no meaning without `upstream`"],
    );
    says(
        &route("upstream = \"127.0.0.1:1\"\ncache = \"10s\""),
        &["edge.toml:5:9: `cache`: must be true, false or a table, under [host.route.cache]"],
    );
    says(
        &route("upstream = \"127.0.0.1:1\"\nmcp = true\ncache = true"),
        &["edge.toml:6:9: `cache`: answers to calls of MCP are not stored"],
    );
    says(
        &after(
            "[host.route.cache]\nttl = [\"10s\", \"99: 1s\", \"5xx: 1s\", \"200: 0s\", \"200: x\"]\n\
             key_headers = [\"a b\"]\nmax_object = \"1B\"\nstale_while_revalidate = \"2d\"\n\
             stale_if_error = 5\nwait = \"1h\"\nclient_directives = \"no\"\nkeys = []",
        ),
        &[
            "edge.toml:6:8: `ttl`: \"10s\" names no status; write \"200: 10s\"",
            "`ttl`: \"99: 1s\" is for no status of an answer; write 200 to 599, 2xx, 3xx or 4xx",
            "`ttl`: \"5xx: 1s\" is for no status of an answer",
            "`ttl`: 0s is out of bounds; write 1ms to 365d",
            "`ttl`: \"x\" is not a duration",
            "`key_headers`: \"a b\" is not the name of a header field",
            "`max_object`: 1B is out of bounds; write 1KiB to 64MiB",
            "`stale_while_revalidate`: 2d is out of bounds; write 0s to 1d",
            "`stale_if_error`: must be a duration",
            "`wait`: 1h is out of bounds; write 10ms to 1m",
            "`client_directives`: must be true or false",
            "unknown key `keys` in [host.route.cache]",
        ],
    );
}

#[test]
fn a_cache_is_off_unless_it_is_asked_for() {
    let read = |lines: &str| {
        let text = format!(
            "[[host]]\nnames = [\"*\"]\n[[host.route]]\nupstream = \"127.0.0.1:1\"\n{lines}\n"
        );
        let config = load(&text)
            .unwrap_or_else(|errors| panic!("{errors}"))
            .config;
        match &config.hosts[0].routes[0].action {
            Action::Proxy(action) => action.cache.as_deref().cloned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(""), None);
    assert_eq!(read("cache = false"), None);
    assert_eq!(read("cache = true"), Some(CacheRules::default()));
    assert_eq!(read("[host.route.cache]"), Some(CacheRules::default()));
    let rules = read("[host.route.cache]\nttl = [\"2xx: 1s\", \"200: 9s\"]\nwait = \"off\"");
    let rules = rules.expect("it is on");
    assert_eq!(
        rules.ttl(200),
        Some(Duration::from_secs(9)),
        "the narrower one"
    );
    assert_eq!(rules.ttl(204), Some(Duration::from_secs(1)));
    assert_eq!((rules.ttl(404), rules.wait), (None, None));
}

#[test]
fn compression() {
    says(
        &route("respond = 204\ncompress = \"gzip\""),
        &["edge.toml:5:12: `compress`: must be true, false or a table"],
    );
    says(
        &after(
            "[host.route.compress]\ncodings = [\"gz\", \"deflate\"]\nmin_length = \"2MiB\"\nlevel = 9",
        ),
        &[
            "edge.toml:6:12: `codings`: \"gz\" is not one of \"zstd\", \"br\", \"gzip\"",
            "`codings`: \"deflate\" is not one of",
            "`min_length`: 2MiB is out of bounds; write 0B to 1MiB",
            "unknown key `level` in [host.route.compress]",
        ],
    );
    says(
        &after("[host.route.compress]\ncodings = []"),
        &["`codings`: is empty; name at least one, or write `compress = false`"],
    );
    let read = |lines: &str| {
        let text = format!("[[host]]\nnames = [\"*\"]\n[[host.route]]\nrespond = 204\n{lines}\n");
        let config = load(&text)
            .unwrap_or_else(|errors| panic!("{errors}"))
            .config;
        config.hosts[0].routes[0].compress.as_deref().cloned()
    };
    assert_eq!(read(""), None);
    assert_eq!(read("compress = false"), None);
    let default = read("compress = true").expect("it is on");
    assert_eq!((default.codings.len(), default.least_bytes), (3, 1024));
    assert_eq!(read("[host.route.compress]"), Some(default));
}

//! `[host.route.files]`.

use super::routing::says;
use crate::config::tests::support::{load, route};
use crate::config::{Action, FilesAction};

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
        &route("upstream = \"127.0.0.1:1\"\nfiles = \"www\""),
        &["edge.toml:5:9: `files`: there is `upstream` already"],
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

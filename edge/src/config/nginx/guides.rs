//! What guides write for applications that people run at home and in teams.

use std::path::Path;

use super::import;
use super::published::{answer, files, route};
use super::tests::converted;

#[test]
fn what_guides_write_for_applications() {
    let (text, _, config) = converted("published/jellyfin.conf");
    assert!(
        config
            .upstreams
            .iter()
            .any(|upstream| upstream.name.contains("127.0.0.1:8096")),
        "{text}"
    );
    // With a variable nginx asks for that alone.
    assert!(
        text.contains(
            "exact = \"/web/\"
upstream = \"http://127.0.0.1:8096\"
rewrite = \"/web/index.html\"
"
        ),
        "{text}"
    );
    let (text, _, config) = converted("published/nextcloud-proxied.conf");
    let first = config.hosts[0]
        .routes
        .iter()
        .position(|found| found.path.contains("acme"));
    let dots = config.hosts[0]
        .routes
        .iter()
        .position(|found| found.path.contains("autotest"));
    assert!(
        first.is_some() && first < dots,
        "`^~` goes before expressions: {text}"
    );
    let (text, _, config) = converted("published/keycloak.conf");
    assert_eq!(
        answer(route(&config, "/old")),
        Some(502),
        "no other route has it: {text}"
    );
    assert!(text.contains("hash_key = \"uri\""), "{text}");
    for lost in [
        "split_clients",
        "geo $limited",
        "= @fallback",
        "sub_filter",
        "@fallback (",
    ] {
        assert!(
            text.contains("# not carried over: ") && text.contains(lost),
            "{lost}: {text}"
        );
    }
    let (text, _, _) = converted("published/homeassistant.conf");
    assert!(
        text.contains("satisfy any (") && !text.contains("map "),
        "{text}"
    );
    let (text, _, config) = converted("published/discourse.conf");
    assert!(
        text.contains("\"-ETag\"") && !text.contains("\"ETag: \""),
        "{text}"
    );
    let assets = r"(?i)(assets|plugins|uploads)/.*\.(eot|ttf|woff|woff2|ico|otf)$";
    let root = files(route(&config, assets)).map(|files| files.root.as_path());
    assert_eq!(root, Some(Path::new("/var/www/discourse/public")));
    let (text, _, _) = converted("published/leftovers.conf");
    assert!(text.contains("expressions are no names"), "{text}");
}

/// A prefix that came before expressions must not take what they guard inside it.
#[test]
fn what_is_asked_inside_a_prefix_is_asked_still() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("nginx.conf");
    for (rules, closed) in [
        (
            "location ^~ /a { root /srv; location ~ x$ { deny all; } }",
            0,
        ),
        (
            "location ^~ /a { root /srv; } location /a/b { root /srv; deny all; }",
            0,
        ),
        (
            "location ^~ /a { root /srv; allow 10.0.0.0/8; deny all; location ~ x$ { deny all; } }",
            1,
        ),
        (
            "location ^~ /a { root /srv; allow 10.0.0.0/8; deny all; } location /a/b { root /srv; deny all; }",
            1,
        ),
    ] {
        let text = format!(
            "server {{ listen 80; server_name a; location ~ y$ {{ root /srv; }} {rules} }}"
        );
        std::fs::write(&file, text).expect("our own");
        let imported = import(std::slice::from_ref(&file)).expect("nginx reads it");
        assert_eq!(imported.closed, closed, "{}", imported.toml);
        let is_first = imported.toml.contains("regex = \"^/a\"");
        assert_eq!(is_first, closed == 1, "{}", imported.toml);
    }
}

//! What people write for applications of their own: MCP, Node, Python, events, WebSocket.

use super::published::{answer, rewrite, route};
use super::tests::converted;
use crate::config::{Config, Policy, Rewrite};

fn policy<'a>(config: &'a Config, name: &str) -> &'a Policy {
    let mut upstreams = config.upstreams.iter();
    let found = upstreams.find(|upstream| upstream.name == name);
    &found.expect("it was there").policy
}

#[test]
fn what_servers_are_picked_by() {
    let (text, _, config) = converted("published/fastmcp.conf");
    let session = Policy::HashField("mcp-session-id".to_owned());
    assert_eq!(policy(&config, "mcp_backend"), &session, "{text}");
    let (text, _, config) = converted("published/rooms.conf");
    assert_eq!(policy(&config, "rooms"), &Policy::HashUri, "{text}");
    let (text, _, config) = converted("published/sse-python.conf");
    let cookie = Policy::HashCookie("sid".to_owned());
    assert_eq!(policy(&config, "starlette"), &cookie, "{text}");
}

#[test]
fn tables_of_addresses_are_redirects() {
    let (text, left_out, _) = converted("published/rooms.conf");
    assert_eq!(left_out, 0, "{text}");
    for lines in [
        "exact = \"/a\"\nredirect = \"/b\"\nstatus = 301",
        "exact = \"/old-page\"\nredirect = \"https://www.example.com/new-page\"\nstatus = 301",
        "regex = \"^/legacy/(?<rest>.*)$\"\nredirect = \"/modern/{1}\"\nstatus = 301",
    ] {
        assert!(text.contains(lines), "{text}");
    }
    let (text, left_out, _) = converted("published/sse-python.conf");
    assert_eq!(left_out, 0, "{text}");
    let moved =
        "exact = \"/docs/v1\"\nredirect = \"https://events.example.com/docs/v2\"\nstatus = 308";
    assert!(text.contains(moved), "{text}");
}

#[test]
fn paths_that_another_location_answers() {
    let (text, left_out, config) = converted("published/express.conf");
    assert_eq!(left_out, 0, "{text}");
    for (regex, to) in [
        ("^/blog/feed$", "/feed.xml"),
        ("^/v1/(.*)$", "/api/{1}"),
        ("^/legacy/(.*)$", "/api/{1}"),
    ] {
        let found = route(&config, regex);
        assert!(matches!(rewrite(found), Rewrite::To(_)), "{text}");
        assert!(text.contains(&format!("rewrite = \"{to}\"")), "{text}");
    }
    assert_eq!(answer(route(&config, "/legacy")), Some(404));
    assert_eq!(answer(route(&config, "/wp-admin")), Some(444));
}

#[test]
fn what_has_no_counterpart_says_what_to_do() {
    let (text, _, _) = converted("published/gunicorn.conf");
    for (directive, advice) in [
        ("split_clients", "`policy = \"hash\"` so that clients stay"),
        ("satisfy any", "networks that need no password"),
        ("sub_filter", "let the application write it"),
        ("error_page 502 = @spare", "`backup = true`"),
        ("location @spare", "`backup = true`"),
    ] {
        let mut lines = text.lines();
        let found = lines.find(|line| line.starts_with("# not") && line.contains(directive));
        let found = found.unwrap_or_else(|| panic!("nothing about {directive}: {text}"));
        assert!(found.contains(advice), "{found}");
    }
    // It has become the route itself.
    assert!(!text.contains("location @proxy_to_app"), "{text}");
}

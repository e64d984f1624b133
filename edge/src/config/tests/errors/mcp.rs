//! `[host.route.mcp]` and what is below it.

use crate::config::tests::support::{MINIMAL, after, load, route};
use crate::config::{McpKey, NamePattern};

#[test]
fn wrong_values() {
    insta::assert_snapshot!(route("upstream = \"127.0.0.1:1\"\nmcp = \"yes\""), @r#"
    edge.toml:5:7: `mcp`: must be true, false or a table, under [host.route.mcp], not the text "yes"
       5 | mcp = "yes"
         |       ^^^^^
    "#);
    insta::assert_snapshot!(after("[host.route.mcp]\norigins = [\"app.example\", \"https://a/b\"]\nbody_prefix = 1"), @r#"
    edge.toml:6:12: `origins`: "app.example" has no scheme; write "https://app.example"
       6 | origins = ["app.example", "https://a/b"]
         |            ^^^^^^^^^^^^^
    edge.toml:6:27: `origins`: "https://a/b" goes on after the host; write "https://a"
       6 | origins = ["app.example", "https://a/b"]
         |                           ^^^^^^^^^^^^^
    edge.toml:7:15: `body_prefix`: 1B is out of bounds; write 1KiB to 1MiB
       7 | body_prefix = 1
         |               ^
    "#);
    insta::assert_snapshot!(after("[host.route.mcp]\ntools_allow = [\"*x\", \"\"]\nmethods_deny = \"tools/call\""), @r#"
    edge.toml:6:16: `tools_allow`: "*x": a star may stand at the end only
       6 | tools_allow = ["*x", ""]
         |                ^^^^
    edge.toml:6:22: `tools_allow`: "" is no name; write one such as "tools/call" or "files_*"
       6 | tools_allow = ["*x", ""]
         |                      ^^
    edge.toml:7:16: `methods_deny`: must be a list of names such as ["add", "files_*"]; write ["tools/call"]
       7 | methods_deny = "tools/call"
         |                ^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(after("[host.route.mcp.limit]\nkey = \"adress\"\nstreams = 0\ncalls = \"5\""), @r#"
    edge.toml:6:7: `key`: "adress" is not one of "address", "token", "session", "everybody", "param:NAME", "claim:NAME"
       6 | key = "adress"
         |       ^^^^^^^^
    edge.toml:7:11: `streams`: 0 is out of bounds; write 1 to 60000
       7 | streams = 0
         |           ^
    edge.toml:8:9: `calls`: "5" does not say per what; write "50/s", "30/m" or "100/h"
       8 | calls = "5"
         |         ^^^
    "#);
    insta::assert_snapshot!(after("[host.route.mcp.limit]\nkey = \"param:a b\""), @r#"
    edge.toml:6:7: `key`: "a b" is no name of a header parameter; write one such as "param:region"
       6 | key = "param:a b"
         |       ^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(after("[host.route.mcp]\nkeep_alive = \"1s\"\n[[host.route.mcp.tool]]\ncalls = \"5/s\"\ncosts = 2"), @r#"
    edge.toml:6:1: unknown key `keep_alive` in [host.route.mcp]; it belongs in [quic] or in [[host.route]]
       6 | keep_alive = "1s"
         | ^^^^^^^^^^
    edge.toml:7:1: [[host.route.mcp.tool]] has no `name`; add `name = "search"`
       7 | [[host.route.mcp.tool]]
         | ^^^^^^^^^^^^^^^^^^^^^^^
    edge.toml:9:1: unknown key `costs` in [[host.route.mcp.tool]]; did you mean `cost`?
       9 | costs = 2
         | ^^^^^
    "#);
    insta::assert_snapshot!(after("[host.route.mcp.limit]\ncalls = \"5/s\"\n[[host.route.mcp.tool]]\nname = \"x\"\ncost = 11"), @r#"
    edge.toml:9:8: `cost`: 11 is out of bounds; write 1 to 10
       9 | cost = 11
         |        ^^
    "#);
}

#[test]
fn true_false_and_tables() {
    let read = |lines: &str| {
        let config = load(&format!("{}\n{lines}\n", MINIMAL.trim()))
            .expect("valid")
            .config;
        config.hosts[0].routes[0].action.mcp().cloned()
    };
    assert!(read("").is_none());
    assert!(read("mcp = false").is_none());
    let default = read("mcp = true").expect("on");
    let table = read("[host.route.mcp]").expect("on");
    assert_eq!(format!("{default:?}"), format!("{table:?}"));
    assert!(!default.is_strict());
    assert_eq!(default.limit.key, McpKey::Address);
    assert_eq!(
        (default.limit.streams, default.limit.sessions),
        (Some(256), None)
    );
    assert!(default.limit.calls.is_none());
    assert_eq!(default.limit.opens.map(|rate| rate.burst), Some(256));

    let mcp = read(
        "[host.route.mcp.limit]\nkey = \"param:Tenant\"\nstreams = \"off\"\nopens = \"off\"\n\
         calls = \"50/s\"\n[[host.route.mcp.tool]]\nname = \"search\"\ncalls = \"5/s\"\n\
         [[host.route.mcp.tool]]\nname = \"files_*\"\nkey = \"everybody\"\ncost = 100",
    )
    .expect("on");
    assert!(mcp.is_strict());
    assert_eq!(mcp.limit.key, McpKey::Param("tenant".into()));
    assert!(mcp.limit.streams.is_none() && mcp.limit.opens.is_none());
    let tools: Vec<_> = mcp
        .tool_limits
        .iter()
        .map(|tool| (&tool.name, &tool.key, tool.cost))
        .collect();
    assert_eq!(
        tools,
        [
            (
                &NamePattern::Exact("search".into()),
                &McpKey::Param("tenant".into()),
                1
            ),
            (
                &NamePattern::Prefix("files_".into()),
                &McpKey::Everybody,
                100
            ),
        ]
    );
    assert_eq!(mcp.tool_limits[0].calls.map(|rate| rate.burst), Some(10));
}

#[test]
fn methods_have_tables_as_tools_have() {
    let read = |lines: &str| {
        let config = load(&format!("{}\n{lines}\n", MINIMAL.trim())).expect("valid");
        let mcp = config.config.hosts[0].routes[0].action.mcp();
        mcp.cloned().expect("on")
    };
    let mcp = read("[[host.route.mcp.method]]\nname = \"resources/*\"\ncalls = \"2/s\"\ncost = 3");
    assert!(mcp.is_strict() && mcp.tool_limits.is_empty() && mcp.list_cache.is_none());
    let (number, method) = mcp.method_limit(b"resources/list").expect("it is named");
    assert_eq!((number, method.cost), (0, 3));
    assert!(mcp.method_limit(b"tools/list").is_none());
    let mcp = read("[[host.route.mcp.tool]]\nname = \"search\"");
    assert!(mcp.tool_limit(b"tools/call", b"search").is_some());
    assert!(mcp.tool_limit(b"prompts/get", b"search").is_none());
    let kept = read("[host.route.mcp]\nlist_cache = \"5m\"");
    assert_eq!(kept.list_cache, Some(std::time::Duration::from_secs(300)));
    assert!(!kept.is_strict(), "a list is no rule");
    assert!(read("[host.route.mcp.limit]\nsessions = 1").is_strict());
    assert!(
        read("[host.route.mcp]\nlist_cache = \"off\"")
            .list_cache
            .is_none()
    );

    let unchecked = after("[[host.route.mcp.method]]\nname = \"*\"\nscopes = [\"a\"]");
    assert!(
        unchecked.contains("`scopes`: nobody checks tokens here; add [host.route.jwt]"),
        "{unchecked}"
    );
    let long = after("[host.route.mcp]\nlist_cache = \"2d\"");
    assert!(
        long.contains("`list_cache`: 2d is out of bounds; write 10ms to 1d"),
        "{long}"
    );
}

//! Sockets, hosts, routes and upstreams that do not fit together.

use crate::config::tests::support::{after, errors, host, route};

#[test]
fn listening() {
    insta::assert_snapshot!(after("[listen]\nhttp = [\":80\", \"localhost:81\"]"), @r#"
    edge.toml:6:9: `http`: ":80" is not an address and port; write "[::]:80" for every IPv6 and IPv4 address, or "0.0.0.0:80" for IPv4 alone
       6 | http = [":80", "localhost:81"]
         |         ^^^^^
    edge.toml:6:16: `http`: "localhost:81" is not an address and port; names are not looked up here: write the address, such as "127.0.0.1:81"
       6 | http = [":80", "localhost:81"]
         |                ^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(after("[listen]\nhttps = [\"[::]:443\"]"), @r#"
    edge.toml:6:9: `https`: no [[host]] has a certificate; add `certificate` and `key` to one, or write `https = []`
       6 | https = ["[::]:443"]
         |         ^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(after("[listen]\nredirect = true"), @"
    edge.toml:6:12: `redirect`: there is no HTTPS to redirect to; add a `certificate` and `key` to a [[host]], or write `redirect = false`
       6 | redirect = true
         |            ^^^^
    ");
    insta::assert_snapshot!(after("[listen]\nhttp = []"), @r#"
    edge.toml:6:8: `http`: nothing is left to listen on; write `http = ["[::]:80"]` or add a certificate
       6 | http = []
         |        ^^
    "#);
    insta::assert_snapshot!(after("[listen]\nhttp = [\"[::]:80\", \"0.0.0.0:80\"]"), @r#"
    edge.toml:6:20: http on 0.0.0.0:80 and http on [::]:80 take the same port; give each its own
       6 | http = ["[::]:80", "0.0.0.0:80"]
         |                    ^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(after("[metrics]\nlisten = \"127.0.0.1:80\""), @r#"
    edge.toml:6:10: metrics on 127.0.0.1:80 and http on [::]:80 take the same port; give each its own
       6 | listen = "127.0.0.1:80"
         |          ^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(after("[metrics]\nlisten = \"on\""), @r#"
    edge.toml:6:10: `listen`: "on" is not an address and port; write it as "[::]:443" or "127.0.0.1:8080"
       6 | listen = "on"
         |          ^^^^
    "#);
}

#[test]
fn host_names() {
    insta::assert_snapshot!(host("names = [\"a.example\", \"A.example\", \"https://b.example\", \"b.example:443\"]"), @r#"
    edge.toml:2:23: `names`: "a.example" is already on line 2
       2 | names = ["a.example", "A.example", "https://b.example", "b.example:443"]
         |                       ^^^^^^^^^^^
    edge.toml:2:36: `names`: "https://b.example" starts with https://; write the name alone: "b.example"
       2 | names = ["a.example", "A.example", "https://b.example", "b.example:443"]
         |                                    ^^^^^^^^^^^^^^^^^^^
    edge.toml:2:57: `names`: "b.example:443" has a port; write the name alone, "b.example": it is answered on every listening port
       2 | names = ["a.example", "A.example", "https://b.example", "b.example:443"]
         |                                                         ^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(host("names = []"), @r#"
    edge.toml:2:9: `names`: is empty; write at least one name, or "*" for everything
       2 | names = []
         |         ^^
    "#);
    insta::assert_snapshot!(host("names = \"a.example\""), @r#"
    edge.toml:2:9: `names`: must be a list of names such as ["mcp.example.com"]; write ["a.example"]
       2 | names = "a.example"
         |         ^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(host(""), @r#"
    edge.toml:1:1: [[host]] has no `names`; add `names = ["mcp.example.com"]`
       1 | [[host]]
         | ^^^^^^^^
    "#);
    insta::assert_snapshot!(after("[[host]]\nnames = [\"*\"]\n[[host.route]]\nupstream = \"127.0.0.1:1\""), @r#"
    edge.toml:6:10: `names`: "*" is already on line 2
       6 | names = ["*"]
         |          ^^^
    "#);
}

#[test]
fn certificates() {
    insta::assert_snapshot!(host("names = [\"*\"]\ncertificate = \"c.pem\""), @r#"
    edge.toml:3:15: `certificate`: its private key is missing; add `key = "privkey.pem"`
       3 | certificate = "c.pem"
         |               ^^^^^^^
    "#);
    insta::assert_snapshot!(host("names = [\"*\"]\nkey = \"k.pem\""), @r#"
    edge.toml:3:7: `key`: its certificate is missing; add `certificate = "fullchain.pem"`
       3 | key = "k.pem"
         |       ^^^^^^^
    "#);
    insta::assert_snapshot!(host("names = [\"*\"]\ncertificate = \"\"\nkey = 3"), @r#"
    edge.toml:3:15: `certificate`: the path is empty
       3 | certificate = ""
         |               ^^
    edge.toml:4:7: `key`: must be the path of a PEM file, not the number 3
       4 | key = 3
         |       ^
    "#);
}

#[test]
fn routes() {
    insta::assert_snapshot!(errors("[[host]]\nnames = [\"*\"]\n"), @r#"
    edge.toml:1:1: this host has no route; add a [[host.route]] with `upstream = "http://127.0.0.1:8000"` under it
       1 | [[host]]
         | ^^^^^^^^
    "#);
    insta::assert_snapshot!(route("path = \"/mcp\""), @r#"
    edge.toml:3:1: [[host.route]] has no `upstream`; add `upstream = "http://127.0.0.1:8000"`
       3 | [[host.route]]
         | ^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(route("path = \"mcp\"\nupstream = \"127.0.0.1:1\""), @r#"
    edge.toml:4:8: `path`: "mcp" does not start with a slash; write "/mcp"
       4 | path = "mcp"
         |        ^^^^^
    "#);
    insta::assert_snapshot!(route("upstream = \"127.0.0.1:1\"\n[[host.route]]\npath = \"/\"\nupstream = \"127.0.0.1:2\""), @r#"
    edge.toml:6:8: `path`: this host already has a route for "/", on line 3
       6 | path = "/"
         |        ^^^
    "#);
}

#[test]
fn upstreams() {
    insta::assert_snapshot!(route("upstream = \"tols\"\n[upstream.tools]\nservers = [\"127.0.0.1:1\"]"), @r#"
    edge.toml:4:12: `upstream`: there is no upstream "tols"; did you mean "tools"?
       4 | upstream = "tols"
         |            ^^^^^^
    "#);
    insta::assert_snapshot!(route("upstream = \"tools\""), @r#"
    edge.toml:4:12: `upstream`: there is no upstream "tools"; add [upstream.NAME] or write a server such as "http://127.0.0.1:8000"
       4 | upstream = "tools"
         |            ^^^^^^^
    "#);
    insta::assert_snapshot!(route("upstream = \"tools\"\n[upstream.tools]\nservers = [\"elsewhere:8000\"]\nresolve = \"off\""), @r#"
    edge.toml:7:11: `resolve`: would keep a server without address for good, because its name cannot be looked up now
       7 | resolve = "off"
         |           ^^^^^
    "#);
    insta::assert_snapshot!(route("upstream = \"tools\"\n[upstream.tools]\nservers = []"), @r#"
    edge.toml:6:11: `servers`: is empty; write at least one, such as ["127.0.0.1:8000"]
       6 | servers = []
         |           ^^
    "#);
    insta::assert_snapshot!(route("upstream = \"tools\"\n[upstream.tools]\nidle_max = 1"), @r#"
    edge.toml:5:1: [upstream.NAME] has no `servers`; add `servers = ["127.0.0.1:8000"]`
       5 | [upstream.tools]
         | ^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(route("upstream = \"tools\"\n[upstream.tools]\nservers = [\"127.0.0.1:1\", \"localhost:1\"]"), @r#"
    edge.toml:6:27: `servers`: 127.0.0.1:1 is already in this list
       6 | servers = ["127.0.0.1:1", "localhost:1"]
         |                           ^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(route("upstream = \"my tools\"\n[upstream.\"my tools\"]\nservers = [\"127.0.0.1:1\"]"), @r#"
    edge.toml:5:11: "my tools" cannot name an upstream; use up to 64 letters, digits, `-`, `_` and `.`
       5 | [upstream."my tools"]
         |           ^^^^^^^^^^
    "#);
    insta::assert_snapshot!(route("upstream = \"127.0.0.1:80\""), @r#"
    edge.toml:4:12: `upstream`: 127.0.0.1:80 is edge itself, which listens on [::]:80; requests would go round in a circle
       4 | upstream = "127.0.0.1:80"
         |            ^^^^^^^^^^^^^^
    "#);
}

/// That each of these sentences is said.
pub(super) fn says(shown: &str, sentences: &[&str]) {
    for sentence in sentences {
        assert!(shown.contains(sentence), "{sentence} in\n{shown}");
    }
}

#[test]
fn actions() {
    let shown = route("upstream = \"127.0.0.1:1\"\nredirect = \"/x\"");
    says(
        &shown,
        &["edge.toml:5:12: `redirect`: there is `upstream` already"],
    );
    let shown = route(
        "redirect = \"https://a.example{query}\"\nkeep_alive = \"15s\"\nresponse_timeout = \"5s\"\nwebsocket = false",
    );
    says(
        &shown,
        &[
            "so a client could choose where it leads",
            "`keep_alive`: has no meaning without `upstream`",
            "`response_timeout`: has no meaning without `upstream`",
            "`websocket`: has no meaning without `upstream`",
        ],
    );
    let shown = route("redirect = \"//a.example\"");
    says(&shown, &["is no place to go to"]);
    let shown = route("regex = \"^/(\"\nrespond = 204");
    says(
        &shown,
        &["edge.toml:4:9: `regex`: \"^/(\" is not a regular expression: unclosed group"],
    );
    let shown = route("regex = \"^/a\"\nredirect = \"https://a.example/{1}\"\nstatus = 305");
    says(
        &shown,
        &[
            "`redirect`: uses {1}, and the path of this route has 0 groups",
            "`status`: 305 is no redirect",
        ],
    );
    let shown = route("path = \"/\"\nexact = \"/a\"\nmethods = [\"get\", \"TRACE\"]\nrespond = 99");
    says(
        &shown,
        &[
            "`exact`: there is `path` already",
            "\"get\" is not a method; methods are in capitals: write \"GET\"",
            "\"TRACE\" is never served",
            "`respond`: 99 is out of bounds; write 200 to 599",
        ],
    );
    let shown = route(
        "upstream = \"127.0.0.1:1\"\nrewrite = \"x\"\n[[host.route]]\nrespond = \"a\"\nstatus = 600",
    );
    says(
        &shown,
        &[
            "`rewrite`: is no path",
            "`status`: 600 is out of bounds",
            "already has a route for \"/\"",
        ],
    );
}

#[test]
fn fields_and_guards() {
    let shown = route(
        "respond = 204\nheaders = [\"Content-Length: 1\"]\nresponse_headers = [\"X-A\", \"X-B: {hots}\"]",
    );
    says(
        &shown,
        &[
            "`headers`: \"Content-Length\" is about the connection",
            "`response_headers`: \"X-A\" has no value",
            "is no variable; did you mean {host}?",
        ],
    );
    let shown = route(
        "respond = 204\nlimits = [\"cals\"]\nallow = [\"10.1.0.0/8\"]\n[limits.calls]\nburst = 3\nkey = \"ip\"",
    );
    says(
        &shown,
        &[
            "`limits`: there is no limit \"cals\"; did you mean \"calls\"?",
            "\"10.1.0.0/8\" has bits beyond its prefix; write \"10.0.0.0/8\"",
            "this limit limits nothing",
            "`burst`: has no meaning without `requests`",
            "`key`: \"ip\" is no key",
        ],
    );
    let shown =
        host("names = [\"*\"]\nerror_pages = [\"200: a.html\", \"404: /nowhere/404.html\"]");
    says(
        &shown,
        &[
            "is for no error; write 400 to 599, 4xx or 5xx",
            "/nowhere/404.html cannot be read",
        ],
    );
}

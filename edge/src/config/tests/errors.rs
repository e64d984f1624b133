//! What operators read when a file is wrong.

use super::{MINIMAL, errors};

/// The errors of a minimal file with `lines` after it.
fn after(lines: &str) -> String {
    errors(&format!("{}\n{lines}\n", MINIMAL.trim()))
}

/// The errors of a minimal file with `lines` before it.
fn before(lines: &str) -> String {
    errors(&format!("{lines}\n{}", MINIMAL.trim()))
}

/// The errors of a host with these lines.
fn host(lines: &str) -> String {
    let route = "[[host.route]]\nupstream = \"127.0.0.1:8000\"\n";
    errors(&format!("[[host]]\n{lines}\n{route}"))
}

/// The errors of a route with these lines.
fn route(lines: &str) -> String {
    errors(&format!(
        "[[host]]\nnames = [\"*\"]\n[[host.route]]\n{lines}\n"
    ))
}

#[test]
fn unknown_keys() {
    insta::assert_snapshot!(host("names = [\"*\"]\ncertifcate = \"fullchain.pem\"\nkey = \"privkey.pem\""), @r#"
    edge.toml:3:1: unknown key `certifcate` in [[host]]; did you mean `certificate`?
       3 | certifcate = "fullchain.pem"
         | ^^^^^^^^^^
    "#);
    insta::assert_snapshot!(before("colour = 1"), @"
    edge.toml:1:1: unknown key `colour`
       1 | colour = 1
         | ^^^^^^
    ");
    insta::assert_snapshot!(after("[upstreams.tools]\nservers = [\"127.0.0.1:1\"]"), @"
    edge.toml:5:2: unknown key `upstreams`; did you mean `[upstream.NAME]`?
       5 | [upstreams.tools]
         |  ^^^^^^^^^
    ");
    insta::assert_snapshot!(errors("[[hosts]]\nnames = [\"*\"]\n"), @"
    edge.toml:1:3: unknown key `hosts`; did you mean `[[host]]`?
       1 | [[hosts]]
         |   ^^^^^
    ");
    insta::assert_snapshot!(after("[limit.penalties]\nban = \"1m\""), @"
    edge.toml:5:8: unknown key `penalties` in [limit]
       5 | [limit.penalties]
         |        ^^^^^^^^^
    ");
}

#[test]
fn keys_in_the_wrong_place() {
    insta::assert_snapshot!(after("[listen]\nuser = \"edge\""), @r#"
    edge.toml:6:1: unknown key `user` in [listen]; it belongs at the top, before the first [section]
       6 | user = "edge"
         | ^^^^
    "#);
    insta::assert_snapshot!(before("drain = \"5s\"\nconnections = 7"), @r#"
    edge.toml:1:1: unknown key `drain`; it belongs in [timeouts]
       1 | drain = "5s"
         | ^^^^^
    edge.toml:2:1: unknown key `connections`; it belongs in [bounds] or in [shield]
       2 | connections = 7
         | ^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(host("names = [\"*\"]\nupstream = \"http://127.0.0.1:8000\""), @r#"
    edge.toml:3:1: unknown key `upstream` in [[host]]; it belongs at the top, as [upstream.NAME] or in [[host.route]]
       3 | upstream = "http://127.0.0.1:8000"
         | ^^^^^^^^
    "#);
    insta::assert_snapshot!(host("names = [\"*\"]\nlimit = {}"), @"
    edge.toml:3:1: unknown key `limit` in [[host]]; it belongs at the top, as [limit]
       3 | limit = {}
         | ^^^^^
    ");
}

#[test]
fn wrong_brackets() {
    insta::assert_snapshot!(errors("[host]\nnames = [\"*\"]\n"), @"
    edge.toml:1:1: `host`: there may be several: write [[host]] with two brackets
       1 | [host]
         | ^^^^^^
    ");
    insta::assert_snapshot!(errors("[[host]]\nnames = [\"*\"]\n[host.route]\nupstream = \"127.0.0.1:1\"\n"), @"
    edge.toml:3:1: `route`: there may be several: write [[host.route]] with two brackets
       3 | [host.route]
         | ^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(after("[[timeouts]]\ndrain = \"1s\""), @"
    edge.toml:5:1: `timeouts`: there is only one: write [timeouts] with one pair of brackets
       5 | [[timeouts]]
         | ^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(after("[[upstream]]\nservers = []"), @"
    edge.toml:5:1: `upstream`: each has a name: write [upstream.NAME]
       5 | [[upstream]]
         | ^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(before("host = 3").replace(MINIMAL.trim(), ""), @"
    edge.toml:2:3: `host` is there twice
       2 | [[host]]
         |   ^^^^
    edge.toml:4:3: this is not TOML: cannot extend value of type integer with a dotted key
       4 | [[host.route]]
         |   ^^^^
    ");
    insta::assert_snapshot!(before("limit = \"off\""), @r#"
    edge.toml:1:9: `limit`: must be a table, under [limit], not the text "off"
       1 | limit = "off"
         |         ^^^^^
    "#);
}

#[test]
fn syntax() {
    insta::assert_snapshot!(errors("[[host]\nnames = [\"*\"]\n"), @"
    edge.toml:1:8: this is not TOML: unclosed array table, expected `]`
       1 | [[host]
         |        ^
    ");
    insta::assert_snapshot!(errors("a = \nb = yes\nc = 10s\n"), @r#"
    edge.toml:1:5: there is no value after `=`
       1 | a = 
         |     ^
    edge.toml:2:5: text needs quotes: write "yes"
       2 | b = yes
         |     ^^^
    edge.toml:3:5: text needs quotes: write "10s"
       3 | c = 10s
         |     ^^^
    "#);
    insta::assert_snapshot!(errors("names = [\"a\"\n[listen]\nhttp = 1\n"), @"
    edge.toml:2:1: this is not TOML: missing comma between array elements, expected `,`
       2 | [listen]
         | ^
    ");
    insta::assert_snapshot!(errors("workers = 1\nworkers = 2\n"), @"
    edge.toml:2:1: `workers` is there twice
       2 | workers = 2
         | ^^^^^^^
    ");
    insta::assert_snapshot!(errors("server {\n  listen 443;\n}\n"), @"
    edge.toml:1:8: this is not TOML: key with no value, expected `=`
       1 | server {
         |        ^
    edge.toml:2:10: this is not TOML: key with no value, expected `=`
       2 |   listen 443;
         |          ^
    edge.toml:3:1: this is not TOML: invalid key-value pair, expected key
       3 | }
         | ^
    ");
    insta::assert_snapshot!(errors("user = \"edge\n"), @r#"
    edge.toml:1:13: this is not TOML: invalid basic string, expected `"`
       1 | user = "edge
         |             ^
    "#);
    insta::assert_snapshot!(errors("\0"), @"
    edge.toml:1:1: this is not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`
       1 | �
         | ^
    ");
}

#[test]
fn empty_files() {
    insta::assert_snapshot!(errors(""), @r#"edge.toml: there is no [[host]]; add one with `names = ["*"]`, and under it a [[host.route]] with `upstream = "http://127.0.0.1:8000"`"#);
    insta::assert_snapshot!(errors("\u{feff}# nothing\n"), @r#"edge.toml: there is no [[host]]; add one with `names = ["*"]`, and under it a [[host.route]] with `upstream = "http://127.0.0.1:8000"`"#);
    insta::assert_snapshot!(errors("[[host]]\n"), @r#"
    edge.toml:1:1: [[host]] has no `names`; add `names = ["mcp.example.com"]`
       1 | [[host]]
         | ^^^^^^^^
    edge.toml:1:1: this host has no route; add a [[host.route]] with `upstream = "http://127.0.0.1:8000"` under it
       1 | [[host]]
         | ^^^^^^^^
    "#);
    insta::assert_snapshot!(errors("host = []\n"), @r#"
    edge.toml:1:8: there is no [[host]]; add one with `names = ["*"]`, and under it a [[host.route]] with `upstream = "http://127.0.0.1:8000"`
       1 | host = []
         |        ^^
    "#);
}

#[test]
fn wrong_types() {
    insta::assert_snapshot!(before("workers = \"two\""), @r#"
    edge.toml:1:11: `workers`: must be a whole number, not the text "two"
       1 | workers = "two"
         |           ^^^^^
    "#);
    insta::assert_snapshot!(before("workers = 1.5\nuser = true"), @"
    edge.toml:1:11: `workers`: must be a whole number, not the number 1.5
       1 | workers = 1.5
         |           ^^^
    edge.toml:2:8: `user`: must be the name of an account, not true
       2 | user = true
         |        ^^^^
    ");
    insta::assert_snapshot!(after("[timeouts]\ndrain = 30\nhead = 1979-05-27"), @r#"
    edge.toml:6:9: `drain`: must be a duration such as "30s", not the number 30
       6 | drain = 30
         |         ^^
    edge.toml:7:8: `head`: must be a duration such as "30s", not the date 1979-05-27
       7 | head = 1979-05-27
         |        ^^^^^^^^^^
    "#);
    insta::assert_snapshot!(after("[listen]\nhttp = 80"), @r#"
    edge.toml:6:8: `http`: must be a list of addresses such as ["[::]:443"], not the number 80
       6 | http = 80
         |        ^^
    "#);
    insta::assert_snapshot!(after("[listen]\nhttp = \"[::]:80\""), @r#"
    edge.toml:6:8: `http`: must be a list of addresses such as ["[::]:443"]; write ["[::]:80"]
       6 | http = "[::]:80"
         |        ^^^^^^^^^
    "#);
    insta::assert_snapshot!(after("[listen]\nredirect = \"yes\""), @r#"
    edge.toml:6:12: `redirect`: must be true or false, not the text "yes"
       6 | redirect = "yes"
         |            ^^^^^
    "#);
    insta::assert_snapshot!(after("[limit]\nrequests = false"), @r#"
    edge.toml:6:12: `requests`: must be a rate such as "100/s", or "off", not false
       6 | requests = false
         |            ^^^^^
    "#);
    insta::assert_snapshot!(after("[shield]\ninterfaces = [1, \"\"]"), @r#"
    edge.toml:6:15: `interfaces`: must be an interface such as "eth0", not the number 1
       6 | interfaces = [1, ""]
         |               ^
    edge.toml:6:18: `interfaces`: "" is not the name of an interface; `ip link` lists them
       6 | interfaces = [1, ""]
         |                  ^^
    "#);
    insta::assert_snapshot!(route("upstream = [\"127.0.0.1:1\"]"), @r#"
    edge.toml:4:12: `upstream`: must be the name of an [upstream.NAME] or a server such as "http://127.0.0.1:8000", not a list
       4 | upstream = ["127.0.0.1:1"]
         |            ^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(route("upstream = \"127.0.0.1:1\"\nkeep_alive = false"), @r#"
    edge.toml:5:14: `keep_alive`: must be a duration such as "30s", or "off", not false
       5 | keep_alive = false
         |              ^^^^^
    "#);
}

#[test]
fn numbers_out_of_bounds() {
    insta::assert_snapshot!(before("workers = 0"), @"
    edge.toml:1:11: `workers`: 0 is out of bounds; write 1 to 256
       1 | workers = 0
         |           ^
    ");
    insta::assert_snapshot!(before("workers = -1"), @"
    edge.toml:1:11: `workers`: -1 is out of bounds; write 1 to 256
       1 | workers = -1
         |           ^^
    ");
    insta::assert_snapshot!(before("workers = 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_ffff_ffff"), @r#"
    edge.toml:1:11: `workers`: "ffffffffffffffffffffffffffffffffffff" is far out of bounds
       1 | workers = 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_ffff_ffff
         |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(after("[shield]\nipv6_prefix = 129"), @"
    edge.toml:6:15: `ipv6_prefix`: 129 is out of bounds; write 1 to 128
       6 | ipv6_prefix = 129
         |               ^^^
    ");
    insta::assert_snapshot!(after("[shield]\nipv6_prefix = 0\npackets_burst = 0"), @"
    edge.toml:6:15: `ipv6_prefix`: 0 is out of bounds; write 1 to 128
       6 | ipv6_prefix = 0
         |               ^
    edge.toml:7:17: `packets_burst`: 0 is out of bounds; write 1 to 1000000
       7 | packets_burst = 0
         |                 ^
    ");
    insta::assert_snapshot!(after("[limit]\nburst = 0\n[limit.penalty]\nrefused = 0"), @"
    edge.toml:6:9: `burst`: 0 is out of bounds; write 1 to 1000000
       6 | burst = 0
         |         ^
    edge.toml:8:11: `refused`: 0 is out of bounds; write 1 to 1000000
       8 | refused = 0
         |           ^
    ");
    insta::assert_snapshot!(after("[bounds]\nhead = \"1B\"\nhead_fields = 0\nbuffer = 5\nconnections = 0\nstreams = 0\nrequests_per_connection = 0"), @r#"
    edge.toml:6:8: `head`: 1B is out of bounds; write 1KiB to 1MiB
       6 | head = "1B"
         |        ^^^^
    edge.toml:7:15: `head_fields`: 0 is out of bounds; write 8 to 10000
       7 | head_fields = 0
         |               ^
    edge.toml:8:10: `buffer`: 5B is out of bounds; write 16KiB to 64MiB
       8 | buffer = 5
         |          ^
    edge.toml:9:15: `connections`: 0 is out of bounds; write 1 to 1000000
       9 | connections = 0
         |               ^
    edge.toml:10:11: `streams`: 0 is out of bounds; write 1 to 10000
      10 | streams = 0
         |           ^
    edge.toml:11:27: `requests_per_connection`: 0 is out of bounds; write 1 to 1000000000
      11 | requests_per_connection = 0
         |                           ^
    "#);
    insta::assert_snapshot!(after("[bounds]\nhead = \"1GiB\"\nbuffer = -5"), @r#"
    edge.toml:6:8: `head`: 1GiB is out of bounds; write 1KiB to 1MiB
       6 | head = "1GiB"
         |        ^^^^^^
    edge.toml:7:10: `buffer`: -5 is out of bounds; write 16KiB to 64MiB
       7 | buffer = -5
         |          ^^
    "#);
}

#[test]
fn durations_rates_and_sizes() {
    insta::assert_snapshot!(after("[timeouts]\nhandshake = \"0s\"\nhead = \"30\"\nbody = \"1 minute\"\nidle = \"9d\"\nsend = \"-1s\""), @r#"
    edge.toml:6:13: `handshake`: 0s is out of bounds; write 10ms to 1h
       6 | handshake = "0s"
         |             ^^^^
    edge.toml:7:8: `head`: "30" has no unit; write "30s" for seconds, or use ms, m, h or d
       7 | head = "30"
         |        ^^^^
    edge.toml:8:8: `body`: "1 minute" is not a duration; write a whole number and ms, s, m, h or d, such as "30s"
       8 | body = "1 minute"
         |        ^^^^^^^^^^
    edge.toml:9:8: `idle`: 9d is out of bounds; write 10ms to 1d
       9 | idle = "9d"
         |        ^^^^
    edge.toml:10:8: `send`: "-1s" is not a duration; write a whole number and ms, s, m, h or d, such as "30s"
      10 | send = "-1s"
         |        ^^^^^
    "#);
    insta::assert_snapshot!(after("[limit]\nrequests = \"100\"\n[limit.penalty]\nwithin = \"1ms\"\nban = \"never\""), @r#"
    edge.toml:6:12: `requests`: "100" does not say per what; write "50/s", "30/m" or "100/h"
       6 | requests = "100"
         |            ^^^^^
    edge.toml:8:10: `within`: 1ms is out of bounds; write 1s to 1d
       8 | within = "1ms"
         |          ^^^^^
    edge.toml:9:7: `ban`: "never" is not a duration; write a whole number and ms, s, m, h or d, such as "30s"
       9 | ban = "never"
         |       ^^^^^^^
    "#);
    insta::assert_snapshot!(after("[shield]\npackets = \"0/s\"\nconnections = \"1/d\""), @r#"
    edge.toml:6:11: `packets`: "0/s" admits nothing; "off" means no limit
       6 | packets = "0/s"
         |           ^^^^^
    edge.toml:7:15: `connections`: "1/d" is not per s, m or h; write "50/s", "30/m" or "100/h"
       7 | connections = "1/d"
         |               ^^^^^
    "#);
    insta::assert_snapshot!(after("[bounds]\nhead = \"32K\""), @r#"
    edge.toml:6:8: `head`: "32K" is not a size; write "32KiB"
       6 | head = "32K"
         |        ^^^^^
    "#);
}

#[test]
fn words() {
    insta::assert_snapshot!(after("[shield]\nmode = \"natve\""), @r#"
    edge.toml:6:8: `mode`: "natve" is not one of "auto", "native", "generic", "off"; did you mean "native"?
       6 | mode = "natve"
         |        ^^^^^^^
    "#);
    insta::assert_snapshot!(after("[shield]\nmode = \"fast\""), @r#"
    edge.toml:6:8: `mode`: "fast" is not one of "auto", "native", "generic", "off"
       6 | mode = "fast"
         |        ^^^^^^
    "#);
    insta::assert_snapshot!(after("[shield]\nmode = \"off\"\nrequired = true"), @r#"
    edge.toml:7:12: `required`: the shield cannot be required and off at once; remove `mode = "off"` or write `required = false`
       7 | required = true
         |            ^^^^
    "#);
    insta::assert_snapshot!(after("[log]\naccess = \"stdot\""), @r#"
    edge.toml:6:10: `access`: "stdot" is neither "stdout" nor "off" nor a path; did you mean "stdout"?
       6 | access = "stdot"
         |          ^^^^^^^
    "#);
    insta::assert_snapshot!(after("[log]\naccess = \"access.log\""), @r#"
    edge.toml:6:10: `access`: "access.log" is neither "stdout" nor "off" nor a path; for a file of that name write "./access.log"
       6 | access = "access.log"
         |          ^^^^^^^^^^^^
    "#);
}

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
    insta::assert_snapshot!(route("upstream = \"https://127.0.0.1:8000\""), @r#"
    edge.toml:4:12: `upstream`: "https://127.0.0.1:8000" asks for TLS to the upstream, which edge does not speak; write "http://127.0.0.1:8000" and let edge end TLS
       4 | upstream = "https://127.0.0.1:8000"
         |            ^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(route("upstream = \"http://elsewhere:8000\""), @r#"
    edge.toml:4:12: `upstream`: "http://elsewhere:8000" cannot be looked up (no such name)
       4 | upstream = "http://elsewhere:8000"
         |            ^^^^^^^^^^^^^^^^^^^^^^^
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

#[test]
fn paths_and_accounts() {
    insta::assert_snapshot!(before("user = \"\""), @r#"
    edge.toml:1:8: `user`: "" is not the name of an account; write one, such as "nobody"
       1 | user = ""
         |        ^^
    "#);
    insta::assert_snapshot!(after(&format!("[admin]\nsocket = \"/{}\"", "a".repeat(107))), @r#"
    edge.toml:6:10: `socket`: the path of the socket is 108 bytes long, and the kernel takes 107
       6 | socket = "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn every_error_at_once_in_the_order_of_the_file() {
    let text = r#"
workers = 0
usr = "edge"

[listen]
https = [":443"]

[[host]]
names = ["mcp.example.com", "bad name"]
certificate = "fullchain.pem"

[[host.route]]
path = "mcp/"
upstream = "tolls"
keep_alive = "15"

[upstream.tools]
servers = ["127.0.0.1", "unix:/run/mcp.sock"]

[timeouts]
darin = "30s"
"#;
    insta::assert_snapshot!(errors(text), @r#"
    edge.toml:2:11: `workers`: 0 is out of bounds; write 1 to 256
       2 | workers = 0
         |           ^
    edge.toml:3:1: unknown key `usr`; did you mean `user`?
       3 | usr = "edge"
         | ^^^
    edge.toml:6:10: `https`: ":443" is not an address and port; write "[::]:443" for every IPv6 and IPv4 address, or "0.0.0.0:443" for IPv4 alone
       6 | https = [":443"]
         |          ^^^^^^
    edge.toml:9:29: `names`: "bad name" holds ' ', which no host name has
       9 | names = ["mcp.example.com", "bad name"]
         |                             ^^^^^^^^^^
    edge.toml:10:15: `certificate`: its private key is missing; add `key = "privkey.pem"`
      10 | certificate = "fullchain.pem"
         |               ^^^^^^^^^^^^^^^
    edge.toml:13:8: `path`: "mcp/" does not start with a slash; write "/mcp"
      13 | path = "mcp/"
         |        ^^^^^^
    edge.toml:14:12: `upstream`: there is no upstream "tolls"; did you mean "tools"?
      14 | upstream = "tolls"
         |            ^^^^^^^
    edge.toml:15:14: `keep_alive`: "15" has no unit; write "15s" for seconds, or use ms, m, h or d
      15 | keep_alive = "15"
         |              ^^^^
    edge.toml:18:12: `servers`: "127.0.0.1" is not an address and port; write "127.0.0.1:8000", "[::1]:8000" or "unix:/run/mcp.sock"
      18 | servers = ["127.0.0.1", "unix:/run/mcp.sock"]
         |            ^^^^^^^^^^^
    edge.toml:21:1: unknown key `darin` in [timeouts]; did you mean `drain`?
      21 | darin = "30s"
         | ^^^^^
    "#);
}

#[test]
fn a_flood_of_errors_is_cut() {
    let many: String = (0..60)
        .map(|number| format!("unknown{number} = 1\n"))
        .collect();
    let shown = before(&many);
    assert!(shown.ends_with("... and 10 more"), "{shown}");
}

#[test]
fn long_and_hostile_lines_are_shown_harmlessly() {
    let long = format!("x{} = 1", "y".repeat(300));
    insta::assert_snapshot!(before(&long), @"
    edge.toml:1:1: unknown key `xyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy...`
       1 | xyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy
         | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
    let late = format!("user = \"{}\" # {}", "z".repeat(50), "c".repeat(300));
    insta::assert_snapshot!(before(&late), @r#"
    edge.toml:1:8: `user`: "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz" is not the name of an account
       1 | user = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz" # cccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
         |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    let inline = format!(
        "timeouts = {{ head = \"1s\", {} drain = 5 }}",
        " ".repeat(200)
    );
    insta::assert_snapshot!(before(&inline), @r#"
    edge.toml:1:236: `drain`: must be a duration such as "30s", not the number 5
       1 |                                 drain = 5 }
         |                                         ^
    "#);
    insta::assert_snapshot!(before("\tuser\t= \"\u{1b}[2J\""), @r#"
    edge.toml:1:10: this is not TOML: invalid basic string, expected non-double-quote visible characters, `\`
       1 |  user = "�[2J"
         |          ^
    "#);
    insta::assert_snapshot!(before("\"\\u001b[2J\" = 1"), @r#"
    edge.toml:1:1: unknown key `\u{1b}[2J`
       1 | "\u001b[2J" = 1
         | ^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(before("user = \"nöbödy\""), @r#"
    edge.toml:1:8: `user`: "nöbödy" is not the name of an account
       1 | user = "nöbödy"
         |        ^^^^^^^^
    "#);
}

//! Keys that are unknown or stand in the wrong place, and wrong brackets.

use crate::config::tests::support::{MINIMAL, after, before, errors, host};

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

/// One wrong key must not hide another, whichever comes first.
#[test]
fn what_is_wrong_beside_a_bad_upstream() {
    insta::assert_snapshot!(after("[[host]]\nnames = [\"a.example\"]\n[[host.route]]\nupstream = \"::\"\nresponse_timeout = 30\ncache = 1"), @r#"
    edge.toml:8:12: `upstream`: "::" is not an address and port; write "127.0.0.1:8000", "[::1]:8000" or "unix:/run/mcp.sock"
       8 | upstream = "::"
         |            ^^^^
    edge.toml:9:20: `response_timeout`: must be a duration such as "30s", not the number 30
       9 | response_timeout = 30
         |                    ^^
    edge.toml:10:9: `cache`: must be true, false or a table, under [host.route.cache], not the number 1
      10 | cache = 1
         |         ^
    "#);
}

#[test]
fn keys_in_the_wrong_place() {
    insta::assert_snapshot!(after("[metrics]\naddress = \"127.0.0.1:9\""), @r#"
    edge.toml:6:1: unknown key `address` in [metrics]; where the page is served is `listen`
       6 | address = "127.0.0.1:9"
         | ^^^^^^^
    "#);
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
    edge.toml:3:1: unknown key `upstream` in [[host]]; it belongs at the top, as [upstream.NAME] or in [[host.route]] or in [host.route.auth_request]
       3 | upstream = "http://127.0.0.1:8000"
         | ^^^^^^^^
    "#);
    insta::assert_snapshot!(host("names = [\"*\"]\nlimit = {}"), @r#"
    edge.toml:3:1: unknown key `limit` in [[host]]; did you mean `limits`? Otherwise it belongs at the top, as [limit] or in [host.route.mcp]
       3 | limit = {}
         | ^^^^^
    "#);
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

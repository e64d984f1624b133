//! Values of the wrong kind or out of bounds.

use crate::config::tests::support::{after, before, route};

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
    edge.toml:7:15: `head_fields`: 0 is out of bounds; write 8 to 256
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

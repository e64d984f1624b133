//! Many errors at once.

use crate::config::tests::support::{before, errors};

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

//! What works but is hardly meant.

use std::path::Path;

use super::super::Severity;
use super::support::{MINIMAL, load};

fn warnings(text: &str) -> String {
    let loaded = load(text).unwrap_or_else(|errors| panic!("{errors}"));
    let shown: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    shown.join("\n")
}

#[test]
fn a_plain_file_has_none() {
    assert_eq!(warnings(MINIMAL), "");
}

#[test]
fn every_warning() {
    insta::assert_snapshot!(warnings(r#"
user = "nobody-here"
[[host]]
names = ["a.example"]
certificate = "a.pem"
key = "a.key"
[[host.route]]
upstream = "http://127.0.0.1:8000"
[[host]]
names = ["b.example"]
[[host.route]]
upstream = "http://127.0.0.1:8000"
[upstream.tools]
servers = ["127.0.0.1:8001"]
[shield]
interfaces = ["eth9"]
[metrics]
listen = "0.0.0.0:9900"
"#), @r#"
    edge.toml:2:8: warning: this machine has no account "nobody-here"; `useradd --system nobody-here` makes one
       2 | user = "nobody-here"
         |        ^^^^^^^^^^^^^
    edge.toml:13:1: warning: no route goes to upstream `tools`
      13 | [upstream.tools]
         | ^^^^^^^^^^^^^^^^
    edge.toml:16:15: warning: this machine has no interface "eth9"; `ip link` lists them
      16 | interfaces = ["eth9"]
         |               ^^^^^^
    edge.toml:18:10: warning: the metrics page has no password and listens on every address; write "127.0.0.1:PORT" unless a firewall stands in front of it
      18 | listen = "0.0.0.0:9900"
         |          ^^^^^^^^^^^^^^
    "#);
}

#[test]
fn names_that_cannot_be_looked_up() {
    insta::assert_snapshot!(warnings(r#"
[[host]]
names = ["*"]
[[host.route]]
upstream = "http://elsewhere:8000"
"#), @r#"
    edge.toml:5:12: warning: `upstream`: "elsewhere" cannot be looked up (no such name); until it can be, nothing is sent there
       5 | upstream = "http://elsewhere:8000"
         |            ^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn a_certificate_without_https() {
    insta::assert_snapshot!(warnings(r#"
listen.https = []
[[host]]
names = ["a.example"]
certificate = "a.pem"
key = "a.key"
[[host.route]]
upstream = "http://127.0.0.1:8000"
"#), @"
    edge.toml:3:1: warning: this host has a certificate, and `https = []` leaves it without use
       3 | [[host]]
         | ^^^^^^^^
    ");
}

#[test]
fn a_finding_about_a_certificate_is_shown_where_its_file_is_named() {
    let text = MINIMAL.replace("names", "certificate = \"c.pem\"\nkey = \"k.pem\"\nnames");
    let loaded = load(&text).unwrap();
    let about = |file: &str, severity| {
        let finding = loaded.about_file(Some(Path::new(file)), severity, "expired");
        finding.to_string()
    };
    insta::assert_snapshot!(about("c.pem", Severity::Error), @r#"
    edge.toml:3:15: expired
       3 | certificate = "c.pem"
         |               ^^^^^^^
    "#);
    insta::assert_snapshot!(about("k.pem", Severity::Warning), @r#"
    edge.toml:4:7: warning: expired
       4 | key = "k.pem"
         |       ^^^^^^^
    "#);
    insta::assert_snapshot!(about("x.pem", Severity::Error), @"edge.toml: expired");
}

//! What works but is hardly meant.

use super::{MINIMAL, load};

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
    edge.toml:2:8: this machine has no account "nobody-here"; `useradd --system nobody-here` makes one
       2 | user = "nobody-here"
         |        ^^^^^^^^^^^^^
    edge.toml:9:1: plain HTTP redirects to HTTPS, where this host has no certificate; add one, or write `redirect = false` in [listen]
       9 | [[host]]
         | ^^^^^^^^
    edge.toml:13:1: no route goes to upstream `tools`
      13 | [upstream.tools]
         | ^^^^^^^^^^^^^^^^
    edge.toml:16:15: this machine has no interface "eth9"; `ip link` lists them
      16 | interfaces = ["eth9"]
         |               ^^^^^^
    edge.toml:18:10: the metrics page has no password and listens on every address; write "127.0.0.1:PORT" unless a firewall stands in front of it
      18 | listen = "0.0.0.0:9900"
         |          ^^^^^^^^^^^^^^
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
    edge.toml:3:1: this host has a certificate, and `https = []` leaves it without use
       3 | [[host]]
         | ^^^^^^^^
    ");
}

#[test]
fn a_finding_about_a_certificate_is_shown_at_its_file() {
    use super::super::CertificatePart;
    let text = MINIMAL.replace("names", "certificate = \"c.pem\"\nkey = \"k.pem\"\nnames");
    let loaded = load(&text).unwrap();
    let chain = loaded.about_certificate(0, CertificatePart::Chain, "expired");
    insta::assert_snapshot!(chain, @r#"
    edge.toml:3:15: expired
       3 | certificate = "c.pem"
         |               ^^^^^^^
    "#);
    let key = loaded.about_certificate(0, CertificatePart::Key, "does not match");
    insta::assert_snapshot!(key, @r#"
    edge.toml:4:7: does not match
       4 | key = "k.pem"
         |       ^^^^^^^
    "#);
    assert_eq!(
        loaded
            .about_certificate(9, CertificatePart::Key, "x")
            .line(),
        None
    );
}

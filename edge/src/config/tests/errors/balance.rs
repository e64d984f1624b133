//! Servers, policies and health checks that cannot be.

use crate::config::tests::support::after;

/// The messages about an upstream with these lines, without places.
fn upstream(lines: &str) -> String {
    let shown = after(&format!("[upstream.a]\n{lines}"));
    let messages = shown.lines().filter_map(|line| {
        let (_, rest) = line.strip_prefix("edge.toml:")?.split_once(": ")?;
        Some(rest.to_owned())
    });
    messages.collect::<Vec<_>>().join("\n")
}

const SERVERS: &str = "servers = [\"127.0.0.1:1\"]";

#[test]
fn servers() {
    insta::assert_snapshot!(upstream("servers = [{ weight = 2 }]"), @"[upstream.NAME.servers] has no `address`; add `address = \"127.0.0.1:8000\"`");
    insta::assert_snapshot!(upstream("servers = [{ address = \"127.0.0.1:1\", wieght = 2 }]"), @"unknown key `wieght` in [upstream.NAME.servers]; did you mean `weight`?");
    insta::assert_snapshot!(upstream("servers = [{ address = \"127.0.0.1:1\", backup = true }]"), @"`servers`: has nothing but backups; leave `backup` out of at least one");
    insta::assert_snapshot!(upstream("servers = [\"localhost:1\", { address = \"127.0.0.1:1\" }]"), @"`servers`: 127.0.0.1:1 is already in this list");
    insta::assert_snapshot!(upstream("servers = [1]"), @"`servers`: must be a server such as \"127.0.0.1:8000\", not the number 1");
    let many: Vec<String> = (1..=65)
        .map(|port| format!("\"127.0.0.1:{port}\""))
        .collect();
    insta::assert_snapshot!(upstream(&format!("servers = [{}]", many.join(", "))), @"`servers`: there are more than 64 servers");
}

#[test]
fn tls_to_servers() {
    let tls = |lines: &str| {
        upstream(&format!(
            "servers = [\"https://127.0.0.1:1\"]\n[upstream.a.tls]\n{lines}"
        ))
    };
    insta::assert_snapshot!(tls("name = \"a b\""), @r#"`name`: "a b" is neither a DNS name nor an address"#);
    insta::assert_snapshot!(tls("ca = 5"), @"`ca`: must be the path of a PEM file, not the number 5");
    insta::assert_snapshot!(tls("certificate = \"c.pem\""), @r#"`certificate`: its private key is missing; add `key = "client.key"`"#);
    insta::assert_snapshot!(tls("key = \"c.key\""), @r#"`key`: its certificate is missing; add `certificate = "client.pem"`"#);
    insta::assert_snapshot!(tls("insecure = \"yes\""), @r#"`insecure`: must be true or false, not the text "yes""#);
    insta::assert_snapshot!(tls("insecure = true\nca = \"ca.pem\""), @"`ca`: means nothing where `insecure = true` believes whoever answers");
    insta::assert_snapshot!(tls("verify = false"), @"unknown key `verify` in [upstream.NAME.tls]; it belongs in [host.route.mcp]");
    insta::assert_snapshot!(upstream(&format!("{SERVERS}\n[upstream.a.tls]\nname = \"a\"")), @r#"`tls`: no server of this upstream is reached over TLS; write "https://HOST:PORT" in `servers`"#);
    insta::assert_snapshot!(upstream("servers = [\"https://127.0.0.1:1\", \"127.0.0.1:2\"]"), @"`servers`: some are https:// and some are not; requests are encrypted always or never");
    insta::assert_snapshot!(upstream("servers = [\"https://127.0.0.1:1/x\"]"), @r#"`servers`: "https://127.0.0.1:1/x" has a path; requests keep their own path: write "https://127.0.0.1:1""#);
}

#[test]
fn policies_and_checks() {
    insta::assert_snapshot!(upstream(&format!("{SERVERS}\npolicy = \"hsah\"")), @r#"`policy`: "hsah" is not one of "least_of_two", "round_robin", "hash"; did you mean "hash"?"#);
    insta::assert_snapshot!(upstream(&format!("{SERVERS}\nhash_key = \"uri\"")), @r#"`hash_key`: is of use with `policy = "hash"` only"#);
    insta::assert_snapshot!(upstream(&format!("{SERVERS}\npolicy = \"hash\"\nhash_key = \"url\"")), @r#"`hash_key`: "url" is no key; write "address", "path", "uri", "header:NAME" or "cookie:NAME""#);
    insta::assert_snapshot!(upstream(&format!("{SERVERS}\npolicy = \"hash\"\nhash_key = \"header:a b\"")), @r#"`hash_key`: "a b" is not the name of a field"#);
    insta::assert_snapshot!(upstream(&format!("{SERVERS}\ncheck = \"/health\"")), @r#"`check`: must be a table, under [upstream.NAME.check], not the text "/health""#);
    insta::assert_snapshot!(upstream(&format!("{SERVERS}\n[upstream.a.check]\nhost = \"a b\"")), @r#"`host`: "a b" is not a host"#);
    insta::assert_snapshot!(upstream(&format!("{SERVERS}\nresolve = 30")), @r#"`resolve`: must be a duration such as "30s", or "off", not the number 30"#);
}

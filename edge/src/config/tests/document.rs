//! The documentation and the code say the same.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::super::Config;
use super::super::schema::{SECTIONS, TOP};
use super::defaults::proxy;
use super::support::{MINIMAL, errors, load};

/// The TOML block of the page that documents every key.
pub(super) fn example() -> &'static str {
    let page = include_str!("../../../../docs/configuration.md");
    let (_, block) = page.split_once("```toml\n").expect("the page has a block");
    let (block, _) = block.split_once("```").expect("the block ends");
    block
}

/// Every key below a table, lists of tables included, by the title of its section.
fn keys(title: String, table: &DeTable<'_>, found: &mut BTreeSet<(String, String)>) {
    for (key, value) in table {
        let below = match title.as_str() {
            "" => key.get_ref().to_string(),
            "upstream" => "upstream.NAME".to_owned(),
            "limits" => "limits.NAME".to_owned(),
            title => format!("{title}.{}", key.get_ref()),
        };
        if title != "upstream" && title != "limits" {
            found.insert((title.clone(), key.get_ref().to_string()));
        }
        match value.get_ref() {
            DeValue::Table(table) => keys(below, table, found),
            DeValue::Array(items) => {
                for table in items.iter().filter_map(|item| item.get_ref().as_table()) {
                    keys(below.clone(), table, found);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn the_example_is_valid_and_without_warnings() {
    let loaded = load(example()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.warnings, []);
    let Config {
        hosts, upstreams, ..
    } = loaded.config;
    assert_eq!(hosts.len(), 2);
    let upstream = proxy(&hosts[0].routes[0]).upstream;
    assert_eq!(upstreams[upstream.0].name, "tools");
}

#[test]
fn the_example_shows_every_key() {
    let mut shown = BTreeSet::new();
    let parsed = DeTable::parse(example()).unwrap();
    keys(String::new(), parsed.get_ref(), &mut shown);
    let known: BTreeSet<(String, String)> = std::iter::once(&TOP)
        .chain(SECTIONS)
        .flat_map(|schema| {
            let title = schema.title.trim_matches(['[', ']']).to_owned();
            schema
                .keys
                .iter()
                .map(move |key| (title.clone(), key.name.to_owned()))
        })
        .collect();
    assert_eq!(shown, known);
}

/// Every key that the table calls a number has the bounds of the reader.
#[test]
fn bounds_of_numbers_are_those_of_the_reader() {
    use super::super::schema::Kind;
    let numbers = |kind: Kind| match kind {
        Kind::Integer(least, most) => Some((least, most)),
        Kind::Any(kinds) => kinds.iter().find_map(|kind| match kind {
            Kind::Integer(least, most) => Some((*least, *most)),
            _ => None,
        }),
        _ => None,
    };
    let mut seen = 0;
    for schema in SECTIONS
        .iter()
        .filter(|schema| schema.title.starts_with('['))
    {
        let title = schema.title;
        let Some((_, after)) = example().split_once(&format!("\n{title}")) else {
            continue; // Under another name, such as the `tools` of [upstream.tools].
        };
        let before = example().len() - after.len();
        for key in schema.keys {
            // That of a tool's cost is the burst of its route.
            let Some((least, most)) = numbers(key.kind).filter(|_| key.name != "cost") else {
                continue;
            };
            let section = &after[..after.find("\n[").unwrap_or(after.len())];
            let Some(at) = section.find(&format!("\n{} = ", key.name)) else {
                continue;
            };
            let line = before + at + 1;
            let end = line + example()[line..].find('\n').expect("lines end");
            for (value, fits) in [
                (least.checked_sub(1), false),
                (Some(most + 1), false),
                (Some(least), true),
                (Some(most), true),
            ] {
                let Some(value) = value else { continue };
                let mut text = example().to_owned();
                text.replace_range(line..end, &format!("{} = {value}", key.name));
                let errors = load(&text).err().map(|errors| errors.to_string());
                let refusal = format!("`{}`: {value} is out of bounds", key.name);
                let refused = errors.is_some_and(|text| text.contains(&refusal));
                assert_eq!(refused, !fits, "{title} {} = {value}", key.name);
                seen += 1;
            }
        }
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn the_table_of_bounds_is_what_is_enforced() {
    // A value that no bound admits, for every row of the table.
    let absurd = |section: &str, key: &str, value: &str| match section {
        "" => format!("{key} = {value}\n{MINIMAL}"),
        "route" => format!("{MINIMAL}{key} = {value}\n"),
        "host" => MINIMAL.replace("names", &format!("{key} = {value}\nnames")),
        "upstream" => {
            format!("{MINIMAL}[upstream.a]\nservers = [\"127.0.0.1:1\"]\n{key} = {value}\n")
        }
        "check" => format!(
            "{MINIMAL}[upstream.a]\nservers = [\"127.0.0.1:1\"]\n[upstream.a.check]\n{key} = {value}\n"
        ),
        "server" => format!(
            "{MINIMAL}[upstream.a]\nservers = [{{ address = \"127.0.0.1:1\", {key} = {value} }}]\n"
        ),
        section => format!("{MINIMAL}[{section}]\n{key} = {value}\n"),
    };
    let page = include_str!("../../../../docs/configuration.md");
    let (_, table) = page
        .split_once("| key | least | most |\n|---|---|---|\n")
        .unwrap();
    let mut rows = table.lines().map_while(|line| {
        let [_, keys, least, most, _] = line.split('|').map(str::trim).collect::<Vec<_>>()[..]
        else {
            return None;
        };
        Some((keys, format!("write {least} to {most}")))
    });
    let mut expect = |keys: &str, cases: &[(&str, &str, &str)]| {
        let (documented, bounds) = rows.next().unwrap_or_else(|| panic!("no row for {keys}"));
        assert_eq!(documented, keys);
        for (section, key, value) in cases {
            let shown = errors(&absurd(section, key, value));
            assert!(shown.contains(&bounds), "{shown}");
        }
    };
    let (long, many) = ("\"9999d\"", "9999999999");
    expect("`workers`", &[("", "workers", many)]);
    expect("`keep_alive`", &[("route", "keep_alive", long)]);
    let mcp = "host.route.mcp";
    expect("`body_prefix`", &[(mcp, "body_prefix", many)]);
    expect("`session_idle`", &[(mcp, "session_idle", long)]);
    expect("`list_cache`", &[(mcp, "list_cache", long)]);
    expect(
        "`mcp.limit` `streams`, `sessions`",
        &[
            ("host.route.mcp.limit", "streams", many),
            ("host.route.mcp.limit", "sessions", many),
        ],
    );
    expect(
        "`handshake`, `head`, `connect_timeout`, `queue_timeout`",
        &[
            ("timeouts", "handshake", long),
            ("timeouts", "head", long),
            ("upstream", "connect_timeout", long),
            ("upstream", "queue_timeout", long),
        ],
    );
    expect(
        "`eject_time`, `eject_time_max`, `interval`, `timeout`",
        &[
            ("upstream", "eject_time", long),
            ("upstream", "eject_time_max", long),
            ("check", "interval", long),
            ("check", "timeout", long),
        ],
    );
    expect(
        "`maintenance.retry_after`",
        &[("maintenance", "retry_after", long)],
    );
    let asked = "host.route.auth_request";
    expect("`auth_request.timeout`", &[(asked, "timeout", long)]);
    expect("`auth_request.cache`", &[(asked, "cache", long)]);
    let tokens = "host.route.jwt";
    expect("`leeway`", &[(tokens, "leeway", long)]);
    expect("`slow_start`", &[("upstream", "slow_start", long)]);
    expect("`resolve`", &[("upstream", "resolve", long)]);
    expect(
        "`body`, `idle`, `send`, `websocket_idle`, `send_timeout`, `response_timeout`, `idle_timeout`",
        &[
            ("timeouts", "body", long),
            ("timeouts", "idle", long),
            ("timeouts", "send", long),
            ("timeouts", "websocket_idle", long),
            ("upstream", "send_timeout", long),
            ("upstream", "response_timeout", long),
            ("route", "response_timeout", long),
            ("upstream", "idle_timeout", long),
        ],
    );
    expect("`websocket_age`", &[("timeouts", "websocket_age", long)]);
    expect("`drain`", &[("timeouts", "drain", long)]);
    expect("`retry_above`", &[("quic", "retry_above", many)]);
    expect(
        "`quic.idle_timeout`, `quic.keep_alive`",
        &[("quic", "idle_timeout", long), ("quic", "keep_alive", long)],
    );
    expect("`alt_svc`", &[("quic", "alt_svc", long)]);
    expect("`alt_svc_port`", &[("quic", "alt_svc_port", many)]);
    expect("`hsts`", &[("host", "hsts", long)]);
    expect("`max_body`", &[("host", "max_body", "9999999999999")]);
    expect(
        "`delay`",
        &[("limits.a", "requests = \"1/s\"\ndelay", long)],
    );
    expect(
        "`concurrent`, `limits.streams`",
        &[
            ("limits.a", "concurrent", many),
            ("limits.a", "streams", many),
        ],
    );
    expect("`idle_max`", &[("upstream", "idle_max", many)]);
    expect(
        "`weight`, `eject_after`",
        &[
            ("server", "weight", many),
            ("upstream", "eject_after", many),
        ],
    );
    expect("`tries`", &[("upstream", "tries", many)]);
    expect(
        "`max_connections`",
        &[("upstream", "max_connections", many)],
    );
    expect("`h2_connections`", &[("upstream", "h2_connections", many)]);
    expect("`h2_streams`", &[("upstream", "h2_streams", many)]);
    expect(
        "`healthy`, `unhealthy`",
        &[("check", "healthy", many), ("check", "unhealthy", many)],
    );
    expect("`status`", &[("check", "status", many)]);
    expect("`bounds.head`", &[("bounds", "head", many)]);
    expect("`head_fields`", &[("bounds", "head_fields", many)]);
    expect("`buffer`", &[("bounds", "buffer", many)]);
    let huge = "\"9999999GiB\"";
    expect("`bounds.cache`", &[("bounds", "cache", huge)]);
    let cache = "host.route.cache";
    expect("`max_object`", &[(cache, "max_object", many)]);
    expect(
        "`min_length`",
        &[("host.route.compress", "min_length", many)],
    );
    expect(
        "`stale_while_revalidate`, `stale_if_error`",
        &[
            (cache, "stale_while_revalidate", long),
            (cache, "stale_if_error", long),
        ],
    );
    expect("`wait`", &[(cache, "wait", long)]);
    expect("`bounds.connections`", &[("bounds", "connections", many)]);
    expect(
        "`connections_per_address`",
        &[("bounds", "connections_per_address", many)],
    );
    expect("`streams`", &[("bounds", "streams", many)]);
    expect(
        "`requests_per_connection`",
        &[("bounds", "requests_per_connection", many)],
    );
    expect("`body_rate`", &[("bounds", "body_rate", many)]);
    expect(
        "bursts, `refused`",
        &[
            ("limit", "burst", many),
            ("shield", "packets_burst", many),
            ("shield", "connections_burst", many),
            ("limit.penalty", "refused", many),
        ],
    );
    expect("`within`", &[("limit.penalty", "within", long)]);
    expect(
        "`ban`, `ban_max`, `forget`",
        &[
            ("limit.penalty", "ban", long),
            ("limit.penalty", "ban_max", long),
            ("limit.penalty", "forget", long),
        ],
    );
    expect(
        "weights of offences",
        &[
            "handshake",
            "malformed",
            "smuggling",
            "oversize",
            "resets",
            "auth",
        ]
        .map(|key| ("limit.penalty", key, many)),
    );
    expect("`ipv6_prefix`", &[("shield", "ipv6_prefix", many)]);
    expect(
        "`sample`",
        &[("log", "sample", many), ("trace", "sample", many)],
    );
    assert_eq!(rows.next(), None);
}

//! `cache` of a route, or `[host.route.cache]`.

use std::time::Duration;

use toml::de::DeValue;

use crate::config::CacheRules;
use crate::config::item::Item;
use crate::config::schema::CACHE;
use crate::config::table::Table;
use crate::config::value::{Invalid, check_field_name, format_duration, parse_duration, quote};

const KIB: u64 = 1024;
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `cache = true`, `cache = false`, or a table.
pub(super) fn read(route: &Table<'_>) -> Option<CacheRules> {
    let item = route.item("cache")?;
    match item.value() {
        DeValue::Boolean(false) => None,
        DeValue::Boolean(true) => Some(CacheRules::default()),
        DeValue::Table(_) => item.table(CACHE).map(|table| rules(&table)),
        _ => item.mismatch("true, false or a table, under [host.route.cache]"),
    }
}

fn rules(table: &Table<'_>) -> CacheRules {
    let default = CacheRules::default();
    let names = "a list of names such as [\"Accept-Language\"]";
    let object = table.size("max_object", 1024 * KIB, KIB..=64 * 1024 * KIB);
    CacheRules {
        ttl: ttl(table),
        key_headers: table.list_of("key_headers", names, check_field_name),
        object_bytes_max: object as usize,
        while_revalidate: table.duration(
            "stale_while_revalidate",
            default.while_revalidate,
            Duration::ZERO..=DAY,
        ),
        if_error: table.duration("stale_if_error", default.if_error, Duration::ZERO..=DAY),
        wait: table.duration_or_off("wait", 5 * SECOND, SECOND / 100..=60 * SECOND),
        client_directives: table
            .flag("client_directives")
            .unwrap_or(default.client_directives),
    }
}

/// `"200: 10s"`, `"3xx: 1m"`.
fn ttl(table: &Table<'_>) -> Vec<(u16, u16, Duration)> {
    let expected = "a list of times such as [\"200: 10s\"]";
    let items = table.item("ttl").and_then(|item| item.list(expected));
    let rule = |item: &Item<'_>| {
        item.parse("a time such as \"200: 10s\"", |text| {
            let invalid = |problem: &str| Invalid::new(format!("{} {problem}", quote(text)));
            let (status, time) = text
                .split_once(':')
                .ok_or_else(|| invalid("names no status").fix("write \"200: 10s\""))?;
            let (first, last) = match status.trim() {
                "2xx" => (200, 299),
                "3xx" => (300, 399),
                "4xx" => (400, 499),
                status => match status.parse() {
                    Ok(status @ 200..=599) => (status, status),
                    _ => {
                        let fix = "write 200 to 599, 2xx, 3xx or 4xx";
                        return Err(invalid("is for no status of an answer").fix(fix));
                    }
                },
            };
            let time = parse_duration(time.trim())?;
            match time > Duration::ZERO && time <= 365 * DAY {
                true => Ok((first, last, time)),
                false => {
                    let shown = format_duration(time);
                    Err(Invalid::new(format!("{shown} is out of bounds")).fix("write 1ms to 365d"))
                }
            }
        })
    };
    let mut rules: Vec<_> = items.unwrap_or_default().iter().filter_map(rule).collect();
    // A time for one status before one for its class.
    rules.sort_by_key(|(first, last, _)| last - first);
    rules
}

//! How an upstream's servers share the work: policy, ejection, health checks.

use std::time::Duration;

use crate::config::schema::CHECK;
use crate::config::table::Table;
use crate::config::value::{Invalid, check_route_path, is_token, quote};
use crate::config::{Check, Ejection, Policy};

const LEAST: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Reads `policy` and `hash_key`.
pub(super) fn policy(table: &Table<'_>) -> Policy {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        LeastOfTwo,
        RoundRobin,
        Hash,
    }
    let words = [
        ("least_of_two", Word::LeastOfTwo),
        ("round_robin", Word::RoundRobin),
        ("hash", Word::Hash),
    ];
    let word = table
        .item("policy")
        .and_then(|item| item.choice(&words))
        .unwrap_or(Word::LeastOfTwo);
    let item = table.item("hash_key");
    if let (Some(item), true) = (&item, word != Word::Hash) {
        item.error("is of use with `policy = \"hash\"` only");
    }
    let key = item.and_then(|item| item.parse("a text such as \"uri\"", hash_key));
    match word {
        Word::LeastOfTwo => Policy::LeastOfTwo,
        Word::RoundRobin => Policy::RoundRobin,
        Word::Hash => key.unwrap_or(Policy::HashAddress),
    }
}

fn hash_key(text: &str) -> Result<Policy, Invalid> {
    match (text, text.split_once(':')) {
        ("address", _) => Ok(Policy::HashAddress),
        ("path", _) => Ok(Policy::HashPath),
        ("uri", _) => Ok(Policy::HashUri),
        (_, Some(("header", name))) => field_name(name).map(Policy::HashField),
        (_, Some(("cookie", name))) if is_token(name) => Ok(Policy::HashCookie(name.to_owned())),
        _ => Err(Invalid::new(format!("{} is no key", quote(text)))
            .fix("write \"address\", \"path\", \"uri\", \"header:NAME\" or \"cookie:NAME\"")),
    }
}

fn field_name(text: &str) -> Result<String, Invalid> {
    match http::HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => Err(Invalid::new(format!(
            "{} is not the name of a field",
            quote(text)
        ))),
    }
}

/// Reads `eject_after`, `eject_time` and `eject_time_max`.
pub(super) fn ejection(table: &Table<'_>) -> Ejection {
    let time = table.duration("eject_time", Duration::from_secs(5), LEAST..=HOUR);
    let most = table.duration("eject_time_max", Duration::from_secs(60), LEAST..=HOUR);
    Ejection {
        after: table.integer("eject_after", 3, 1..=1000) as u32,
        time,
        time_max: most.max(time),
    }
}

/// Reads `[upstream.NAME.check]`; without it nobody asks.
pub(super) fn check(table: &Table<'_>) -> Option<Check> {
    let table = table.item("check")?.table(CHECK)?;
    let duration =
        |name, default_s, most| table.duration(name, Duration::from_secs(default_s), LEAST..=most);
    let count = |name, default| table.integer(name, default, 1..=100) as u32;
    let path = match table.item("path") {
        None => Some("/".to_owned()),
        Some(item) => item.parse("a path such as \"/health\"", check_route_path),
    };
    let host = table.item("host").and_then(|item| {
        item.parse("a host such as \"mcp.example.com\"", |text| match text
            .parse::<http::uri::Authority>()
        {
            Ok(_) => Ok(text.to_owned()),
            Err(_) => Err(Invalid::new(format!("{} is not a host", quote(text)))),
        })
    });
    let status = table
        .item("status")
        .map(|_| table.integer("status", 200, 200..=599) as u16);
    Some(Check {
        path: path?,
        host,
        status,
        interval: duration("interval", 5, HOUR),
        timeout: duration("timeout", 2, HOUR),
        healthy: count("healthy", 2),
        unhealthy: count("unhealthy", 3),
    })
}

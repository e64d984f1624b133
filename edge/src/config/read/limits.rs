//! `[limits.NAME]`, and the names of limits, networks and sizes that hosts and routes choose.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::rate;
use crate::config::schema::LIMITS;
use crate::config::suggest::nearest;
use crate::config::table::Table;
use crate::config::types::{Access, LimitKey, NamedLimit};
use crate::config::value::{Invalid, check_upstream_name, is_token, parse_cidr, quote};

/// A client that waits longer has given up.
const DELAY_LEAST: Duration = Duration::from_millis(1);
const DELAY_MOST: Duration = Duration::from_secs(60);
/// What a count can hold.
const AT_ONCE_MAX: u64 = 65_535;
const BODY_MAX: u64 = 1 << 40;

/// Every limit by its name.
pub(super) struct Limits {
    by_name: HashMap<String, Arc<NamedLimit>>,
}

/// What guards a route; that of a host where the route says nothing.
#[derive(Clone, Default)]
pub(super) struct Guards {
    pub(super) limits: Vec<Arc<NamedLimit>>,
    pub(super) access: Access,
    pub(super) body_bytes_max: Option<u64>,
}

impl Limits {
    pub(super) fn read(top: &Table<'_>) -> Limits {
        let mut by_name = HashMap::new();
        for (key, table) in top.named_tables("limits", LIMITS) {
            let name = key.get_ref();
            if let Err(invalid) = check_upstream_name(name) {
                let message = invalid.to_string().replace("an upstream", "a limit");
                top.report().error(key.span(), message);
            }
            by_name.insert(name.to_string(), Arc::new(limit(name, &table)));
        }
        Limits { by_name }
    }

    /// The guards of a host or a route; `outer` holds where it says nothing.
    pub(super) fn guards(&self, table: &Table<'_>, outer: &Guards) -> Guards {
        let networks = |key| {
            let expected = "a list of networks such as [\"10.0.0.0/8\"]";
            let list = table.list_of(key, expected, parse_cidr);
            table.item(key).map(|_| list)
        };
        let limits = table.item("limits").map(|_| {
            table.list_of("limits", "a list of names such as [\"calls\"]", |name| {
                self.find(name)
            })
        });
        let body_bytes_max = match table.item("max_body") {
            None => outer.body_bytes_max,
            Some(item) if item.is("off") => None,
            Some(_) => Some(table.size("max_body", BODY_MAX, 1..=BODY_MAX)),
        };
        Guards {
            limits: limits.unwrap_or_else(|| outer.limits.clone()),
            access: Access {
                allow: networks("allow").unwrap_or_else(|| outer.access.allow.clone()),
                deny: networks("deny").unwrap_or_else(|| outer.access.deny.clone()),
            },
            body_bytes_max,
        }
    }

    fn find(&self, name: &str) -> Result<Arc<NamedLimit>, Invalid> {
        self.by_name.get(name).map(Arc::clone).ok_or_else(|| {
            let unknown = Invalid::new(format!("there is no limit {}", quote(name)));
            match nearest(name, self.by_name.keys().map(String::as_str)) {
                Some(near) => unknown.fix(format!("did you mean {near:?}?")),
                None => unknown.fix("add [limits.NAME]"),
            }
        })
    }
}

fn limit(name: &str, table: &Table<'_>) -> NamedLimit {
    let key = table.item("key").and_then(|item| {
        item.parse(
            "\"address\", \"token\", \"user\", \"everybody\", \"claim:NAME\", \"header:NAME\" or \"cookie:NAME\"",
            parse_key,
        )
    });
    let at_once = |key| match table.item(key) {
        None => None,
        Some(item) if item.is("off") => None,
        Some(_) => Some(table.integer(key, 1, 1..=AT_ONCE_MAX) as u32),
    };
    let rate = match table.item("requests") {
        Some(_) => rate::read(table, "requests", "burst", 10.0),
        None => None,
    };
    let delay = table.item("delay").and_then(|item| match item.is("off") {
        true => None,
        false => item.duration(
            "a duration such as \"5s\", or \"off\"",
            DELAY_LEAST..=DELAY_MOST,
        ),
    });
    let limit = NamedLimit {
        name: name.to_owned(),
        key: key.unwrap_or(LimitKey::Address),
        rate,
        delay,
        opens: rate::read_or_off(table, "opens", "opens_burst"),
        concurrent: at_once("concurrent"),
        streams: at_once("streams"),
        shared: table.flag("shared").unwrap_or(false),
        dry_run: table.flag("dry_run").unwrap_or(false),
        headers: table.flag("headers").unwrap_or(false),
        exempt: table.list_of(
            "exempt",
            "a list of networks such as [\"10.0.0.0/8\"]",
            parse_cidr,
        ),
    };
    let none = ["requests", "concurrent", "streams", "opens"]
        .iter()
        .all(|key| table.lacks(key));
    if none {
        let message =
            "this limit limits nothing; add `requests`, `concurrent`, `streams` or `opens`";
        table.report().error(table.span(), message);
    }
    for (key, needed) in [
        ("burst", "requests"),
        ("delay", "requests"),
        ("headers", "requests"),
        ("opens_burst", "opens"),
    ] {
        if let (Some(item), true) = (table.item(key), table.lacks(needed)) {
            item.error(format!("has no meaning without `{needed}`"));
        }
    }
    limit
}

fn parse_key(text: &str) -> Result<LimitKey, Invalid> {
    match (text, text.split_once(':')) {
        ("address", _) => Ok(LimitKey::Address),
        ("token", _) => Ok(LimitKey::Token),
        ("user", _) => Ok(LimitKey::User),
        ("everybody", _) => Ok(LimitKey::Everybody),
        (_, Some(("header", name))) if is_token(name) => {
            Ok(LimitKey::Header(name.to_ascii_lowercase().into()))
        }
        (_, Some(("claim", name))) if !name.is_empty() => Ok(LimitKey::Claim(name.into())),
        (_, Some(("cookie", name))) if is_token(name) => Ok(LimitKey::Cookie(name.into())),
        _ => Err(Invalid::new(format!("{} is no key", quote(text))).fix(
            "write \"address\", \"token\", \"user\", \"everybody\", \"claim:NAME\", \"header:NAME\" \
             or \"cookie:NAME\"",
        )),
    }
}

//! `request_headers`, `response_headers` and `hsts`: rules of hosts and routes.

use std::time::Duration;

use crate::config::table::Table;
use crate::config::types::{Change, FieldRule, Piece, Template};
use crate::config::value::{check_field_change, parse_field_rule};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HSTS_DEFAULT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What is sent unless the server or the file says something else. None of them concerns a client
/// that is not a browser.
const DEFAULTS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
];

/// Rules for requests on their way to the upstream and for responses on their way to the client.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) request: Vec<FieldRule>,
    pub(super) response: Vec<FieldRule>,
}

impl Rules {
    /// The rules of a host: what it says after the defaults.
    pub(super) fn of_host(table: &Table<'_>) -> Rules {
        let hsts = table.duration_or_off("hsts", HSTS_DEFAULT, DAY..=DAY * 3650);
        let hsts = hsts.map(|age| {
            let value = format!("max-age={}", age.as_secs());
            default("strict-transport-security", &value)
        });
        let defaults = DEFAULTS.iter().map(|(name, value)| default(name, value));
        let rules = Rules {
            request: Vec::new(),
            response: hsts.into_iter().chain(defaults).collect(),
        };
        rules.and(table)
    }

    /// These rules and those of the table below.
    pub(super) fn and(&self, table: &Table<'_>) -> Rules {
        Rules {
            request: chain(&self.request, read(table, "request_headers", true)),
            response: chain(&self.response, read(table, "response_headers", false)),
        }
    }
}

fn default(name: &str, value: &str) -> FieldRule {
    let pieces = vec![Piece::Text(value.into())];
    FieldRule::new(name, Change::Default(Template { pieces }))
}

/// A rule of its own about a field takes the place of the default for it.
fn chain(earlier: &[FieldRule], later: Vec<FieldRule>) -> Vec<FieldRule> {
    let replaced = |rule: &FieldRule| {
        matches!(rule.change, Change::Default(_)) && later.iter().any(|own| own.name == rule.name)
    };
    let kept = earlier.iter().filter(|rule| !replaced(rule)).cloned();
    kept.chain(later.iter().cloned()).collect()
}

fn read(table: &Table<'_>, key: &'static str, of_request: bool) -> Vec<FieldRule> {
    table.list_of(
        key,
        "a list of rules such as [\"X-Tenant: {host}\", \"-Server\"]",
        |text| {
            let rule = parse_field_rule(text)?;
            check_field_change(&rule, of_request)?;
            Ok(rule)
        },
    )
}

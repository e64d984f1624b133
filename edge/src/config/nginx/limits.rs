//! `limit_req` and `limit_conn`, as named limits.

use std::collections::BTreeMap;

use super::document::Section;
use super::notes::Notes;
use super::tree::Directive;
use super::values::rate;

/// A zone of nginx: what is counted apart, and how fast.
struct Zone {
    key: String,
    rate: Option<String>,
}

/// All zones, and the limits made of them.
#[derive(Default)]
pub(super) struct Limits {
    zones: BTreeMap<String, Zone>,
    /// A zone with a burst is one limit: ours have the burst, nginx has it where the zone is used.
    named: BTreeMap<String, Section>,
}

impl Limits {
    /// Takes a `limit_req_zone` or `limit_conn_zone`.
    pub(super) fn add_zone(&mut self, zone: &Directive, section: &mut Section, notes: &mut Notes) {
        let value = |key: &str| zone.args.iter().find_map(|arg| arg.strip_prefix(key));
        let name = value("zone=").and_then(|zone| zone.split(':').next());
        match (name, key(zone.arg())) {
            (Some(name), Some(key)) => {
                let rate = value("rate=").and_then(rate);
                self.zones.insert(name.to_owned(), Zone { key, rate });
            }
            _ => notes.leave(section, zone, "nothing here is counted by this key"),
        }
    }

    /// Takes a `limit_req` or `limit_conn`; `false` for any other directive.
    pub(super) fn take(
        &mut self,
        directive: &Directive,
        section: &mut Section,
        notes: &mut Notes,
    ) -> bool {
        if !matches!(&*directive.name, "limit_req" | "limit_conn") {
            return false;
        }
        match self.limit(directive) {
            Some((name, limit)) => {
                self.named.insert(name, limit);
            }
            None => notes.leave(section, directive, "its zone is not carried over"),
        }
        true
    }

    /// Writes which limits hold in a block.
    pub(super) fn name(&self, block: &[Directive], section: &mut Section) {
        let uses = block
            .iter()
            .filter(|d| matches!(&*d.name, "limit_req" | "limit_conn"));
        let names: Vec<String> = uses
            .filter_map(|directive| Some(self.limit(directive)?.0))
            .collect();
        if !names.is_empty() {
            section.list("limits", &names);
        }
    }

    fn limit(&self, directive: &Directive) -> Option<(String, Section)> {
        let value = |key: &str| directive.args.iter().find_map(|arg| arg.strip_prefix(key));
        let is_req = directive.name == "limit_req";
        let zone = match is_req {
            true => value("zone=")?,
            false => directive.arg(),
        };
        let Zone { key, rate } = self.zones.get(zone)?;
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let zone: String = zone.chars().map(plain).collect();
        let number: u64 = match is_req {
            true => value("burst=").map_or(Some(0), |burst| burst.parse().ok())?,
            false => directive.args.get(1)?.parse().ok()?,
        };
        let name = format!("{zone}-{number}");
        let mut section = Section::new(format!("[limits.{name}]"));
        section.text("key", key);
        if is_req {
            section.text("requests", rate.as_ref()?);
            // nginx lets one request through and then `burst` more.
            section.raw("burst", (number + 1).to_string());
            let delayed = number > 0 && !directive.args.iter().any(|arg| arg == "nodelay");
            if delayed {
                section.text("delay", "1m");
            }
        } else {
            section.raw("concurrent", number.to_string());
        }
        section.raw("shared", "true");
        Some((name, section))
    }

    pub(super) fn write(self, out: &mut String) {
        for section in self.named.values() {
            section.write(out);
        }
    }
}

fn key(variable: &str) -> Option<String> {
    Some(match variable {
        "$binary_remote_addr" | "$remote_addr" => "address".to_owned(),
        "$http_authorization" => "token".to_owned(),
        "$server_name" | "$host" | "$http_host" => "everybody".to_owned(),
        _ => match variable.split_once('_')? {
            ("$http", name) => format!("header:{}", name.replace('_', "-")),
            ("$cookie", name) => format!("cookie:{name}"),
            _ => return None,
        },
    })
}

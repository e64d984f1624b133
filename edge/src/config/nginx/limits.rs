//! `limit_req` and `limit_conn`, as named limits.

use std::collections::BTreeMap;

use super::document::Section;
use super::notes::Notes;
use super::scope::Scope;
use super::tree::Directive;
use super::values::rate;

/// A zone of nginx: what is counted apart, and how fast.
struct Zone {
    key: String,
    rate: Option<String>,
    /// Networks that it does not count.
    exempt: Vec<String>,
}

/// All zones, and the limits made of them.
#[derive(Default)]
pub(super) struct Limits {
    zones: BTreeMap<String, Zone>,
    /// A zone with a burst is one limit: ours have the burst, nginx has it where the zone is used.
    named: BTreeMap<String, Section>,
    /// Variables that are what networks are not counted by.
    sparing: Vec<String>,
}

impl Limits {
    /// Takes a `limit_req_zone` or `limit_conn_zone`.
    pub(super) fn add_zone(
        &mut self,
        zone: &Directive,
        http: &[Directive],
        section: &mut Section,
        notes: &mut Notes,
    ) {
        let value = |key: &str| zone.args.iter().find_map(|arg| arg.strip_prefix(key));
        let name = value("zone=").and_then(|zone| zone.split(':').next());
        let plain = key(zone.arg()).map(|key| (key, Vec::new()));
        let counted = plain.or_else(|| {
            let (key, exempt, from) = sparing(zone.arg(), http)?;
            self.sparing.extend([zone.arg().to_owned(), from]);
            Some((key, exempt))
        });
        match (name, counted) {
            (Some(name), Some((key, exempt))) => {
                let rate = value("rate=").and_then(rate);
                let zone = Zone { key, rate, exempt };
                self.zones.insert(name.to_owned(), zone);
            }
            _ => notes.leave(section, zone, "nothing here is counted by this key"),
        }
    }

    /// Whether a `geo` or `map` does nothing but say whom a zone does not count.
    pub(super) fn is_sparing(&self, directive: &Directive) -> bool {
        let made = directive.args.last();
        matches!(&*directive.name, "geo" | "map")
            && made.is_some_and(|made| self.sparing.contains(made))
    }

    /// Takes a `limit_req` or `limit_conn`; `false` for any other directive.
    pub(super) fn take(
        &mut self,
        directive: &Directive,
        scope: &Scope<'_>,
        section: &mut Section,
        notes: &mut Notes,
    ) -> bool {
        if !matches!(&*directive.name, "limit_req" | "limit_conn") {
            return false;
        }
        match self.limit(directive, scope) {
            Some((name, limit)) => {
                self.named.insert(name, limit);
            }
            None => notes.leave(section, directive, "its zone is not carried over"),
        }
        true
    }

    /// Writes which limits hold where these directives do.
    pub(super) fn name<'d>(
        &self,
        directives: impl Iterator<Item = &'d Directive>,
        scope: &Scope<'_>,
        section: &mut Section,
    ) {
        let uses = directives.filter(|d| matches!(&*d.name, "limit_req" | "limit_conn"));
        let names: Vec<String> = uses
            .filter_map(|directive| Some(self.limit(directive, scope)?.0))
            .collect();
        if !names.is_empty() {
            section.list("limits", &names);
        }
    }

    fn limit(&self, directive: &Directive, scope: &Scope<'_>) -> Option<(String, Section)> {
        let value = |key: &str| directive.args.iter().find_map(|arg| arg.strip_prefix(key));
        let is_req = directive.name == "limit_req";
        let zone = match is_req {
            true => value("zone=")?,
            false => directive.arg(),
        };
        let Zone { key, rate, exempt } = self.zones.get(zone)?;
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let zone: String = zone.chars().map(plain).collect();
        let number: u64 = match is_req {
            true => value("burst=").map_or(Some(0), |burst| burst.parse().ok())?,
            false => directive.args.get(1)?.parse().ok()?,
        };
        let only_tries = scope.is_on(&format!("{}_dry_run", directive.name));
        let dry = if only_tries { "-dry" } else { "" };
        let name = format!("{zone}-{number}{dry}");
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
        if only_tries {
            section.raw("dry_run", "true");
        }
        if !exempt.is_empty() {
            section.list("exempt", exempt);
        }
        Some((name, section))
    }

    pub(super) fn write(self, out: &mut String) {
        for section in self.named.values() {
            section.write(out);
        }
    }
}

/// What a zone counts by whose variable is empty for some networks, those networks, and the variable
/// that tells them apart: `geo` gives that a value for each, and `map` makes the key of it.
fn sparing(variable: &str, http: &[Directive]) -> Option<(String, Vec<String>, String)> {
    let making = |name: &'static str, made: &str| {
        let mut those = http.iter().filter(move |directive| directive.name == name);
        let made = made.to_owned();
        those.find(move |directive| directive.args.last() == Some(&made))
    };
    let map = making("map", variable)?;
    let [from, _] = &map.args[..] else {
        return None;
    };
    let geo = making("geo", from)?;
    let [_] = &geo.args[..] else {
        return None;
    };
    let (rules, networks) = (map.block.as_deref()?, geo.block.as_deref()?);
    let for_value = |value: &str| {
        let own = rules.iter().find(|rule| rule.name == value);
        let rule = own.or_else(|| rules.iter().find(|rule| rule.name == "default"))?;
        Some(rule.arg())
    };
    let usual = networks.iter().find(|network| network.name == "default")?;
    let key = key(for_value(usual.arg())?)?;
    let mut exempt = Vec::new();
    for network in networks.iter().filter(|network| network.name != "default") {
        match for_value(network.arg()) {
            Some("") => exempt.push(network.name.clone()),
            // Counted like everybody else, or in a way of their own.
            counted if counted == for_value(usual.arg()) => {}
            _ => return None,
        }
    }
    let is_network = |text: &String| text.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':');
    exempt
        .iter()
        .all(is_network)
        .then(|| (key, exempt, from.clone()))
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

//! Who may ask, and how much they may send.

use super::document::Section;
use super::notes::Notes;
use super::scope::Scope;
use super::tree::Directive;
use super::values::size;
use crate::cidr::{Cidr, Parsed};

/// Takes a directive about requests as such; `false` for any other.
pub(super) fn access(directive: &Directive, section: &mut Section, notes: &mut Notes) -> bool {
    match (&*directive.name, directive.arg()) {
        ("allow" | "deny", _) => {} // As a list: see [`Networks`].
        ("client_max_body_size", "0") => section.text("max_body", "off"),
        ("client_max_body_size", value) => match size(value) {
            Some(size) => section.raw("max_body", size),
            None => notes.leave(section, directive, "not a size"),
        },
        ("proxy_request_buffering", "on") => section.raw("buffer_request", "true"),
        ("proxy_request_buffering", _) => {}
        _ => return false,
    }
    true
}

/// The networks that `if ($blocked) { return 403; }` refuses, where a `geo` says which they are and
/// nothing else.
pub(super) fn blocked(directive: &Directive, scope: &Scope<'_>) -> Option<Vec<String>> {
    let block = directive.block.as_deref()?;
    let refuses = |d: &Directive| {
        d.name == "return" && d.arg().parse().is_ok_and(|status: u16| status >= 400)
    };
    let [condition] = &directive.args[..] else {
        return None;
    };
    let variable = condition.strip_prefix('(')?.strip_suffix(')')?;
    if directive.name != "if" || !matches!(block, [only] if refuses(only)) {
        return None;
    }
    let mut http = scope.blocks().first()?.iter();
    let geo = http.find(|d| d.name == "geo" && d.args == [variable])?;
    let mut networks = Vec::new();
    for rule in geo.block.as_deref()? {
        let is_true = !matches!(rule.arg(), "" | "0");
        match rule.name.as_str() {
            "default" if !is_true => {}
            network if is_true && network.parse::<Parsed>().is_ok() => {
                networks.push(network.to_owned());
            }
            // An exception, a range, or a list that is not on this machine.
            _ => return None,
        }
    }
    (!networks.is_empty()).then_some(networks)
}

/// From where clients may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Networks {
    /// `None` for everywhere.
    allow: Option<Vec<String>>,
    deny: Vec<String>,
}

impl Networks {
    /// What is in force in a scope. nginx takes the first that fits; here what is denied is denied
    /// whatever is allowed, which comes to the same, or keeps more clients out.
    pub(super) fn of(scope: &Scope<'_>) -> Networks {
        let mut networks = Networks::listed(scope);
        let ifs = scope.blocks().iter().skip(1).flat_map(|block| block.iter());
        // Conditions are looked at before any list.
        let blocked = ifs.filter_map(|directive| blocked(directive, scope));
        networks.deny.extend(blocked.flatten());
        networks
    }

    fn listed(scope: &Scope<'_>) -> Networks {
        let (mut allow, mut deny) = (Vec::new(), Vec::new());
        for rule in scope.access() {
            let is_allow = rule.name == "allow";
            match rule.arg() {
                // Whatever follows is never looked at.
                "all" if is_allow => return Networks { allow: None, deny },
                "all" => {
                    let allow = Some(allow);
                    return Networks { allow, deny };
                }
                unix if unix.starts_with("unix") => {}
                network if is_allow => allow.push(network.to_owned()),
                network => deny.push(network.to_owned()),
            }
        }
        Networks { allow: None, deny }
    }

    /// The same for a server that only these networks reach.
    pub(super) fn within(self, reach: Option<&[&str]>) -> Networks {
        let Some(reach) = reach else { return self };
        let all = || reach.iter().map(|network| (*network).to_owned()).collect();
        let allow = match self.allow {
            None => all(),
            Some(allow) => {
                let cidr = |text: &str| text.parse::<Parsed>().ok().map(|parsed| parsed.cidr);
                let reach: Vec<Cidr> = reach.iter().filter_map(|text| cidr(text)).collect();
                let reaches = |network: &String| {
                    cidr(network).is_some_and(|own| reach.iter().any(|one| one.covers(&own)))
                };
                allow.into_iter().filter(reaches).collect()
            }
        };
        let allow = Some(allow);
        Networks { allow, ..self }
    }

    /// Whether there is nobody who may.
    pub(super) fn is_empty(&self) -> bool {
        self.allow.as_ref().is_some_and(Vec::is_empty)
    }

    /// Writes them as keys of a host or route.
    pub(super) fn write(&self, section: &mut Section) {
        match &self.allow {
            Some(allow) if allow.is_empty() => {
                return section.list("deny", &["0.0.0.0/0", "::/0"]);
            }
            Some(allow) => section.list("allow", allow),
            None => {}
        }
        if !self.deny.is_empty() {
            section.list("deny", &self.deny);
        }
    }
}

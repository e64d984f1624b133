//! What a route wants to know of the tokens it asks for.

use std::collections::BTreeSet;

use super::{Action, Change, FieldRule, LimitKey, Rewrite, Route, Template, Variable};

impl Route {
    /// The claims that its limits count by and its texts name, each once.
    pub fn claims(&self) -> Vec<String> {
        let mut claims = BTreeSet::new();
        claims.extend(self.action.mcp().iter().flat_map(|mcp| mcp.claims()));
        claims.extend(self.limits.iter().filter_map(|limit| match &limit.key {
            LimitKey::Claim(name) => Some(name.to_string()),
            _ => None,
        }));
        claims.extend(claims_named(&self.request_rules));
        claims.extend(self.action.claims());
        claims.into_iter().collect()
    }
}

impl Action {
    /// The claims that the path or the place it makes names.
    pub(in crate::config) fn claims(&self) -> impl Iterator<Item = String> {
        let made = match self {
            Action::Proxy(action) => match &action.rewrite {
                Rewrite::To(template) => Some(template),
                Rewrite::Keep | Rewrite::StripPrefix => None,
            },
            Action::Redirect(action) => Some(&action.to),
            Action::Files(_) | Action::Respond(_) => None,
        };
        made.into_iter().flat_map(named)
    }
}

/// The claims that rules for fields name.
pub(in crate::config) fn claims_named(rules: &[FieldRule]) -> impl Iterator<Item = String> {
    let values = rules.iter().filter_map(|rule| match &rule.change {
        Change::Set(value) | Change::Add(value) | Change::Default(value) => Some(value),
        Change::Remove => None,
    });
    values.flat_map(named)
}

fn named(template: &Template) -> impl Iterator<Item = String> {
    template.variables().filter_map(|variable| match variable {
        Variable::Claim(name) => Some(name.to_string()),
        _ => None,
    })
}

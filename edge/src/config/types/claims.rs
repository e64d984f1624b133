//! What a route wants to know of the tokens it asks for.

use std::collections::BTreeSet;

use super::{Action, Change, LimitKey, Rewrite, Route, Template, Variable};

impl Route {
    /// The claims that its limits count by and its texts name, each once.
    pub fn claims(&self) -> Vec<String> {
        let mut claims = BTreeSet::new();
        claims.extend(self.action.mcp().iter().flat_map(|mcp| mcp.claims()));
        claims.extend(self.limits.iter().filter_map(|limit| match &limit.key {
            LimitKey::Claim(name) => Some(name.to_string()),
            _ => None,
        }));
        let rules = self.request_rules.iter();
        let values = rules.filter_map(|rule| match &rule.change {
            Change::Set(value) | Change::Add(value) | Change::Default(value) => Some(value),
            Change::Remove => None,
        });
        let made = match &self.action {
            Action::Proxy(action) => match &action.rewrite {
                Rewrite::To(template) => Some(template),
                Rewrite::Keep | Rewrite::StripPrefix => None,
            },
            Action::Redirect(action) => Some(&action.to),
            Action::Files(_) | Action::Respond(_) => None,
        };
        claims.extend(values.chain(made).flat_map(named));
        claims.into_iter().collect()
    }
}

fn named(template: &Template) -> impl Iterator<Item = String> {
    template.variables().filter_map(|variable| match variable {
        Variable::Claim(name) => Some(name.to_string()),
        _ => None,
    })
}

//! `if ($request_method = OPTIONS) { add_header ...; return 204; }`: what pages of another origin are told
//! before they ask, as a route of its own before the one for the rest.

use super::Routes;
use crate::config::nginx::document::Section;
use crate::config::nginx::guards::condition;
use crate::config::nginx::scope::Scope;
use crate::config::nginx::tree::Directive;

impl Routes<'_> {
    /// Takes such a condition; `false` for any other.
    pub(super) fn answers_preflight(
        &mut self,
        directive: &Directive,
        key: &str,
        pattern: &str,
        scope: &Scope<'_>,
    ) -> bool {
        if !is_preflight(directive) {
            return false;
        }
        let block = directive.block.as_deref().unwrap_or_default();
        let mut section = Section::new("[[host.route]]");
        let acts = self.fill(&mut section, key, pattern, &scope.inner(block));
        if acts {
            section.list("methods", &["OPTIONS"]);
            self.preflights.push(section);
        }
        acts
    }
}

fn is_preflight(directive: &Directive) -> bool {
    let asks = matches!(
        &*condition(directive),
        "$request_method = OPTIONS" | "$request_method ~ OPTIONS" | "$request_method ~* OPTIONS"
    );
    let block = directive.block.as_deref().unwrap_or_default();
    let (answers, others): (Vec<_>, Vec<_>) = block.iter().partition(|d| d.name == "return");
    let is_answer = matches!(&*answers, [only] if matches!(only.arg(), "200" | "204"));
    directive.name == "if" && asks && is_answer && others.iter().all(|d| d.name == "add_header")
}

//! Which names a route lets through: of methods, of tools.

use super::invalid::{Invalid, quote};

/// A name, or the start of one followed by `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamePattern {
    /// This name.
    Exact(String),
    /// Every name that starts so.
    Prefix(String),
}

impl NamePattern {
    /// Reads `add`, `files_*` or `*`.
    pub(in crate::config) fn parse(text: &str) -> Result<NamePattern, Invalid> {
        let printable = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        match text.strip_suffix('*') {
            _ if text.is_empty() || !printable => Err(Invalid::new(format!(
                "{} is no name; write one such as \"tools/call\" or \"files_*\"",
                quote(text)
            ))),
            Some(start) if !start.contains('*') => Ok(NamePattern::Prefix(start.to_owned())),
            None if !text.contains('*') => Ok(NamePattern::Exact(text.to_owned())),
            _ => Err(Invalid::new(format!(
                "{}: a star may stand at the end only",
                quote(text)
            ))),
        }
    }

    /// Whether the name is meant.
    pub fn matches(&self, name: &[u8]) -> bool {
        match self {
            NamePattern::Exact(exact) => name == exact.as_bytes(),
            NamePattern::Prefix(start) => name.starts_with(start.as_bytes()),
        }
    }
}

/// An allow list and a deny list; denial wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameRules {
    /// What may pass; `None`: everything.
    pub allow: Option<Vec<NamePattern>>,
    /// What may not.
    pub deny: Vec<NamePattern>,
}

impl NameRules {
    /// Whether nothing is ruled.
    pub fn is_empty(&self) -> bool {
        self.allow.is_none() && self.deny.is_empty()
    }

    /// Whether a name may pass.
    pub fn allows(&self, name: &[u8]) -> bool {
        !self.denies(name) && self.allow.as_deref().is_none_or(|list| lists(list, name))
    }

    /// Whether a name is on the deny list.
    pub fn denies(&self, name: &[u8]) -> bool {
        lists(&self.deny, name)
    }
}

fn lists(list: &[NamePattern], name: &[u8]) -> bool {
    list.iter().any(|pattern| pattern.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Vec<NamePattern> {
        list.iter()
            .map(|text| NamePattern::parse(text).expect("valid"))
            .collect()
    }

    #[test]
    fn denial_wins_and_an_empty_allow_list_allows_nothing() {
        let rules = NameRules {
            allow: Some(patterns(&["add", "files_*"])),
            deny: patterns(&["files_delete*"]),
        };
        for (name, allowed) in [
            ("add", true),
            ("adder", false),
            ("files_read", true),
            ("files_delete", false),
            ("files_delete_all", false),
            ("", false),
        ] {
            assert_eq!(rules.allows(name.as_bytes()), allowed, "{name}");
        }
        assert!(NameRules::default().allows(b"anything"));
        let none = NameRules {
            allow: Some(Vec::new()),
            deny: Vec::new(),
        };
        assert!(!none.allows(b"add") && !none.is_empty());
    }

    #[test]
    fn stars_stand_at_the_end_only() {
        for bad in ["", "a*b", "**", "*a", "t\u{e9}"] {
            assert!(NamePattern::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            NamePattern::parse("*").ok(),
            Some(NamePattern::Prefix(String::new()))
        );
    }
}

//! Which names a route lets through: of methods, of tools.

/// A name, or the start of one followed by `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This name.
    Exact(String),
    /// Every name that starts so.
    Prefix(String),
}

impl Pattern {
    /// Reads `add`, `files/*` or `*`; `None` when a star stands elsewhere or there is nothing.
    pub fn parse(text: &str) -> Option<Pattern> {
        let printable = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        match text.strip_suffix('*') {
            _ if text.is_empty() || !printable => None,
            Some(start) if !start.contains('*') => Some(Pattern::Prefix(start.to_owned())),
            None if !text.contains('*') => Some(Pattern::Exact(text.to_owned())),
            _ => None,
        }
    }

    /// Whether the name is meant.
    pub fn matches(&self, name: &[u8]) -> bool {
        match self {
            Pattern::Exact(exact) => name == exact.as_bytes(),
            Pattern::Prefix(start) => name.starts_with(start.as_bytes()),
        }
    }
}

/// An allow list and a deny list; denial wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameRules {
    /// What may pass; `None`: everything.
    pub allow: Option<Vec<Pattern>>,
    /// What may not.
    pub deny: Vec<Pattern>,
}

impl NameRules {
    /// Whether nothing is ruled.
    pub fn is_empty(&self) -> bool {
        self.allow.is_none() && self.deny.is_empty()
    }

    /// Whether a name may pass.
    pub fn allows(&self, name: &[u8]) -> bool {
        let listed = |list: &[Pattern]| list.iter().any(|pattern| pattern.matches(name));
        !listed(&self.deny) && self.allow.as_deref().is_none_or(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Vec<Pattern> {
        list.iter()
            .map(|text| Pattern::parse(text).expect("valid"))
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
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
        assert_eq!(Pattern::parse("*"), Some(Pattern::Prefix(String::new())));
    }
}

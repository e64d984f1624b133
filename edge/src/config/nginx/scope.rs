//! Where a directive is looked for: the block itself, then the blocks around it.

use super::tree::Directive;

/// A block inside others.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    /// The outermost first.
    blocks: Vec<&'a [Directive]>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(block: &'a [Directive]) -> Scope<'a> {
        Scope {
            blocks: vec![block],
        }
    }

    /// A block inside this one.
    pub(super) fn inner(&self, block: &'a [Directive]) -> Scope<'a> {
        let mut blocks = self.blocks.clone();
        blocks.push(block);
        Scope { blocks }
    }

    /// Of the blocks around, those of `http` and `server`.
    pub(super) fn server(&self) -> Scope<'a> {
        Scope {
            blocks: self.blocks.iter().take(2).copied().collect(),
        }
    }

    /// All blocks, the outermost first.
    pub(super) fn blocks(&self) -> &[&'a [Directive]] {
        &self.blocks
    }

    /// The `allow` and `deny` in force here, in their order: those of an inner block replace those of
    /// the outer ones.
    pub(super) fn access(&self) -> Vec<&'a Directive> {
        let is_rule = |d: &&'a Directive| matches!(&*d.name, "allow" | "deny");
        let rules = |block: &&'a [Directive]| block.iter().filter(is_rule).collect::<Vec<_>>();
        let mut found = self.blocks.iter().rev().map(rules);
        found.find(|found| !found.is_empty()).unwrap_or_default()
    }

    /// The directives of the innermost block.
    pub(super) fn own(&self) -> &'a [Directive] {
        self.blocks.last().copied().unwrap_or_default()
    }

    /// The directive of a name that is in force here.
    pub(super) fn find(&self, name: &str) -> Option<&'a Directive> {
        self.all(name).last().copied()
    }

    /// All directives of a name that are in force here. In nginx those of an inner block replace
    /// those of the outer ones, all of them.
    pub(super) fn all(&self, name: &str) -> Vec<&'a Directive> {
        let named = |block: &&'a [Directive]| -> Vec<&'a Directive> {
            block.iter().filter(|d| d.name == name).collect()
        };
        let mut found = self.blocks.iter().rev().map(named);
        found.find(|found| !found.is_empty()).unwrap_or_default()
    }

    /// Of the blocks in `http` and `server`, only the locations.
    pub(super) fn locations(&self) -> Scope<'a> {
        Scope {
            blocks: self.blocks.iter().skip(2).copied().collect(),
        }
    }

    /// The location for exactly this URI, in the blocks around.
    pub(super) fn location(&self, uri: &str) -> Option<&'a Directive> {
        let is_it = |directive: &&'a Directive| {
            let pattern = match directive.arg() {
                "=" | "^~" => directive.args.get(1).map(String::as_str),
                pattern => Some(pattern),
            };
            directive.name == "location" && pattern == Some(uri)
        };
        let mut blocks = self.blocks.iter().rev();
        blocks.find_map(|block| block.iter().find(is_it))
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.find(name)
            .is_some_and(|directive| directive.arg() == "on")
    }
}

//! Rules that change header fields.

use super::template::Template;

/// A change to one field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// The field in lower case.
    pub name: Box<str>,
    /// What becomes of it.
    pub change: Change,
}

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there once, with this value.
    Set(Template),
    /// It is there once more, with this value.
    Add(Template),
    /// It is not there.
    Remove,
    /// It has this value where the message says nothing.
    Default(Template),
}

impl FieldRule {
    /// A rule.
    pub fn new(name: &str, change: Change) -> FieldRule {
        FieldRule {
            name: name.into(),
            change,
        }
    }
}

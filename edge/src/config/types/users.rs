//! The names and hashed passwords of a file as `htpasswd` writes it.

use std::collections::HashMap;
use std::fmt;

/// Users by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    by_name: HashMap<Box<str>, PasswordHash>,
    /// Whose password a stranger's is compared with, so that it takes as long.
    first: Option<Box<str>>,
}

/// What is kept of a password, in the form of modular crypt.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordHash {
    /// `$2b$`, `$2y$` or `$2a$`, as it stands in the file.
    Bcrypt(Box<str>),
    /// `$argon2id$` in its parts.
    Argon2id(Box<Argon2id>),
}

/// An Argon2id hash (RFC 9106).
#[derive(Clone, PartialEq, Eq)]
pub struct Argon2id {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// The salt.
    pub salt: Box<[u8]>,
    /// The tag.
    pub tag: Box<[u8]>,
}

impl Users {
    /// Adds a user; `false` when there is one of that name.
    pub fn add(&mut self, name: &str, hash: PasswordHash) -> bool {
        if self.by_name.contains_key(name) {
            return false;
        }
        self.first.get_or_insert_with(|| name.into());
        self.by_name.insert(name.into(), hash);
        true
    }

    /// The hash of a user's password.
    pub fn find(&self, name: &str) -> Option<&PasswordHash> {
        self.by_name.get(name)
    }

    /// What a password is compared with whose user there is not; `None` where there is none at all.
    pub fn decoy(&self) -> Option<&PasswordHash> {
        self.find(self.first.as_deref()?)
    }
}

/// Hashes are not shown: they are what a thief starts from.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PasswordHash::Bcrypt(_) => "bcrypt",
            PasswordHash::Argon2id(_) => "argon2id",
        })
    }
}

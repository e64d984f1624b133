//! The allow and deny lists: what the tries between program and proxy hold.
//!
//! A key is the length of a prefix and an address in network order, as the kernel's longest-prefix
//! tries want it; the trie of a list and family has no other keys.

/// Entries of one list and family. The tries allocate as they fill, some 70 bytes an entry.
pub const LIST_MAX: u32 = 262_144;

/// Entries a trie has room for: while a list is replaced, the old and the new one.
pub const TRIE_MAX: u32 = 2 * LIST_MAX;

/// The data of an IPv4 key.
pub type ListV4 = [u8; 4];

/// The data of an IPv6 key.
pub type ListV6 = [u8; 16];

/// Who put an entry there; both may have.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListOrigin(pub u32);

impl ListOrigin {
    /// Nobody: not on the list.
    pub const NONE: ListOrigin = ListOrigin(0);
    /// The configuration, or a file it names.
    pub const CONFIG: ListOrigin = ListOrigin(1);
    /// An operator, while running.
    pub const OPERATOR: ListOrigin = ListOrigin(1 << 1);

    /// These and those.
    pub const fn with(self, other: ListOrigin) -> ListOrigin {
        ListOrigin(self.0 | other.0)
    }

    /// These without those.
    pub const fn without(self, other: ListOrigin) -> ListOrigin {
        ListOrigin(self.0 & !other.0)
    }

    /// Whether any of `other` is among them.
    pub const fn any(self, other: ListOrigin) -> bool {
        self.0 & other.0 != 0
    }
}

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: a transparent u32.
    unsafe impl aya::Pod for super::ListOrigin {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_a_set() {
        let both = ListOrigin::CONFIG.with(ListOrigin::OPERATOR);
        assert!(both.any(ListOrigin::CONFIG) && both.any(ListOrigin::OPERATOR));
        assert_eq!(both.without(ListOrigin::CONFIG), ListOrigin::OPERATOR);
        assert!(!ListOrigin::NONE.any(both));
    }
}

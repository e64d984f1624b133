//! A field section: names and values in the order they came, in one block of memory.
//!
//! Two allocations a message whatever the number of fields, and no hashing: the proxy looks at a
//! dozen known names and passes the rest on untouched, duplicates and spelling included.

use super::Name;

/// An ordered list of fields (RFC 9110 §5).
#[derive(Clone, Debug, Default)]
pub struct Fields {
    block: Vec<u8>,
    index: Vec<Entry>,
    /// A bit for each known name that there may be: most lookups are for fields that are not there.
    known: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    name_len: u32,
    value_len: u32,
    name: Name,
}

impl Entry {
    fn name(self, block: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &block[start..start + self.name_len as usize]
    }

    fn value(self, block: &[u8]) -> &[u8] {
        let start = (self.start + self.name_len) as usize;
        &block[start..start + self.value_len as usize]
    }
}

impl Fields {
    /// Room for `fields` entries of `bytes` bytes in all before anything is reallocated.
    pub fn with_capacity(fields: usize, bytes: usize) -> Fields {
        Fields {
            block: Vec::with_capacity(bytes),
            index: Vec::with_capacity(fields),
            known: 0,
        }
    }

    /// Appends a field. The caller vouches for the syntax of both parts.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.push_entry(Name::of(name), name, value);
    }

    /// Appends a known field in lower case.
    pub fn push_known(&mut self, name: Name, value: &[u8]) {
        self.push_entry(name, name.text().as_bytes(), value);
    }

    fn push_entry(&mut self, known: Name, name: &[u8], value: &[u8]) {
        self.known |= bit(known);
        // Heads are bounded to far below 4 GiB before they get here.
        self.index.push(Entry {
            start: self.block.len() as u32,
            name_len: name.len() as u32,
            value_len: value.len() as u32,
            name: known,
        });
        self.block.extend_from_slice(name);
        self.block.extend_from_slice(value);
    }

    /// Replaces every field of that name by one.
    pub fn set(&mut self, name: Name, value: &[u8]) {
        self.remove(name);
        self.push_known(name, value);
    }

    /// Removes every field of that name.
    pub fn remove(&mut self, name: Name) {
        if self.known & bit(name) != 0 {
            self.index.retain(|entry| entry.name != name);
            self.known &= !bit(name);
        }
    }

    /// Removes every field of a name that may be any.
    pub fn remove_all(&mut self, name: &str) {
        self.retain(|_, found, _| !found.eq_ignore_ascii_case(name.as_bytes()));
    }

    /// Keeps the fields for which `keep(known, name, value)` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(Name, &[u8], &[u8]) -> bool) {
        let block = &self.block;
        self.index
            .retain(|entry| keep(entry.name, entry.name(block), entry.value(block)));
    }

    /// The first value of that name.
    pub fn value(&self, name: Name) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// Every value of that name, in order.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        let entries = match self.known & bit(name) {
            0 => &[],
            _ => &self.index[..],
        };
        entries
            .iter()
            .filter(move |entry| entry.name == name)
            .map(|entry| entry.value(&self.block))
    }

    /// Every value of a field that may be any, in order.
    pub fn values_of(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.index
            .iter()
            .filter(move |entry| {
                entry
                    .name(&self.block)
                    .eq_ignore_ascii_case(name.as_bytes())
            })
            .map(|entry| entry.value(&self.block))
    }

    /// The value of a cookie (RFC 6265 §5.4).
    pub fn cookie(&self, name: &str) -> Option<&[u8]> {
        self.values_of("cookie")
            .flat_map(|value| value.split(|&b| b == b';'))
            .find_map(|pair| {
                let (found, value) = pair.trim_ascii().split_at_checked(name.len())?;
                let value = value.strip_prefix(b"=")?;
                (found == name.as_bytes()).then_some(value)
            })
    }

    /// Whether the comma-separated lists of that name contain `token`, in any case.
    pub fn has_token(&self, name: Name, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(|&b| b == b','))
            .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    /// `(known name, name, value)` of every field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &[u8], &[u8])> {
        self.index.iter().map(|entry| {
            (
                entry.name,
                entry.name(&self.block),
                entry.value(&self.block),
            )
        })
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }
}

/// Where a name stands in [`Fields::known`].
const fn bit(name: Name) -> u64 {
    const { assert!((Name::Other as u32) < u64::BITS) };
    1 << name as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_spelling_and_duplicates_survive() {
        let mut fields = Fields::default();
        fields.push(b"Mcp-Name", b"a");
        fields.push(b"HOST", b"h");
        fields.push(b"mcp-name", b"b");
        fields.set(Name::Host, b"other");
        let list: Vec<_> = fields
            .iter()
            .map(|(_, n, v)| (n.to_vec(), v.to_vec()))
            .collect();
        assert_eq!(
            list,
            [
                (b"Mcp-Name".to_vec(), b"a".to_vec()),
                (b"mcp-name".to_vec(), b"b".to_vec()),
                (b"host".to_vec(), b"other".to_vec()),
            ]
        );
    }

    #[test]
    fn what_is_removed_is_gone_and_may_come_back() {
        let mut fields = Fields::default();
        for name in [&b"Via"[..], b"x-a", b"Range", b"X-Real-IP"] {
            fields.push(name, b"1");
        }
        fields.remove(Name::Via);
        fields.retain(|name, _, _| name != Name::Range);
        fields.remove(Name::Range);
        assert_eq!(
            (fields.value(Name::Via), fields.value(Name::Range)),
            (None, None)
        );
        fields.push(b"range", b"2");
        assert_eq!(fields.value(Name::Range), Some(&b"2"[..]));
        assert_eq!(fields.values(Name::Other).count(), 1);
        assert_eq!(fields.value(Name::XRealIp), Some(&b"1"[..]));
    }

    #[test]
    fn tokens_are_found_across_lists() {
        let mut fields = Fields::default();
        fields.push(b"Connection", b"keep-alive, Upgrade");
        fields.push(b"Connection", b"x-foo");
        assert!(fields.has_token(Name::Connection, "upgrade"));
        assert!(fields.has_token(Name::Connection, "X-Foo"));
        assert!(!fields.has_token(Name::Connection, "x"));
    }
}

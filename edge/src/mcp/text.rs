//! Short text kept in place: what is read of a request is bounded, and nothing is allocated for it.

use std::fmt;

/// Up to `N` bytes; longer text is known to be longer and otherwise lost.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
    too_long: bool,
}

impl<const N: usize> Text<N> {
    /// Nothing.
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
            too_long: false,
        }
    }

    /// Adds one byte.
    pub fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.too_long = true,
        }
    }

    /// Adds bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.len..self.len + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => bytes.iter().for_each(|&byte| self.push(byte)),
        }
    }

    /// This and nothing else.
    pub fn set(&mut self, bytes: &[u8]) {
        self.clear();
        self.extend(bytes);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.len = 0;
        self.too_long = false;
    }

    /// The text, unless it was too long to keep.
    pub fn get(&self) -> Option<&[u8]> {
        (!self.too_long).then(|| &self.bytes[..self.len])
    }

    /// Whether everybody reads the same in it: some drop bytes that are no UTF-8, and some take a null
    /// for the end.
    pub(super) fn is_sound(&self) -> bool {
        let text = self.start();
        if text.iter().all(|byte| matches!(byte, 1..=0x7f)) {
            return true;
        }
        let is_utf8 = match std::str::from_utf8(text) {
            Ok(_) => true,
            // Cut inside a character.
            Err(error) => self.too_long && error.error_len().is_none(),
        };
        is_utf8 && !text.contains(&0)
    }

    /// What was kept, cut where it was too long.
    pub fn start(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> From<&[u8]> for Text<N> {
    fn from(bytes: &[u8]) -> Self {
        let mut text = Self::new();
        text.extend(bytes);
        text
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.start().escape_ascii().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn text_that_does_not_fit_is_not_taken_for_less() {
        let mut text = Text::<4>::new();
        text.extend(b"abc");
        assert_eq!(text.get(), Some(&b"abc"[..]));
        text.extend(b"de");
        assert_eq!((text.get(), text.start()), (None, &b"abcd"[..]));
        text.clear();
        text.push(b'x');
        assert_eq!(text.get(), Some(&b"x"[..]));
    }
}

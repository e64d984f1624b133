//! The members of a JSON object as they are written.
//!
//! For text that is known to be JSON: where it is not, there are simply no more members.

use std::ops::Range;

/// An object with more members is no list's.
const MEMBERS_MAX: usize = 64;

/// A member: where its name stands, without the quotes, and its value.
pub(super) struct Member {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
}

/// The members of the object that begins at `at`, blanks before it aside. `None` if there is none, and
/// where parsers might disagree: a name twice, or one that is written with escapes; nobody does either.
pub(super) fn members(text: &[u8], at: usize) -> Option<Vec<Member>> {
    let mut at = blanks(text, at);
    if text.get(at) != Some(&b'{') {
        return None;
    }
    let mut members: Vec<Member> = Vec::new();
    at = blanks(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return Some(members);
    }
    loop {
        let end = end_of_string(text, at)?;
        let name = at + 1..end - 1;
        let colon = blanks(text, end);
        let start = blanks(text, colon + 1);
        let value = start..end_of_value(text, start)?;
        let is_known = |known: &Member| text[known.name.clone()] == text[name.clone()];
        let is_plain = memchr::memchr(b'\\', &text[name.clone()]).is_none();
        if members.len() == MEMBERS_MAX || !is_plain || members.iter().any(is_known) {
            return None;
        }
        at = blanks(text, value.end);
        members.push(Member { name, value });
        match text.get(at)? {
            b',' => at = blanks(text, at + 1),
            _ => return Some(members),
        }
    }
}

fn blanks(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    at + rest.iter().take_while(is_blank).count()
}

/// Where the value that begins at `at` ends.
fn end_of_value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => end_of_string(text, at),
        b'{' | b'[' => {
            let (mut at, mut depth) = (at, 0u32);
            loop {
                match text.get(at)? {
                    b'"' => {
                        at = end_of_string(text, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let ends =
                |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
            let length = text[at..].iter().position(ends)?;
            Some(at + length)
        }
    }
}

fn end_of_string(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        match text[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

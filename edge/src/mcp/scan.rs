//! Reads method, name and id from the first bytes of a JSON-RPC message, while it passes.
//!
//! In the legacy era only the body says what a request asks for. This is no JSON parser: it follows
//! the structure byte by byte, however the bytes are cut, remembers the few texts that limits, rules
//! and labels need, and builds nothing. It never rejects what a parser accepts (but for nesting
//! deeper than [`DEPTH_MAX`]); whether a message could be read in two ways is told apart, so that
//! rules need not be applied to the wrong reading.

mod id;
mod key;
mod string;

use id::{is_json_number, is_json_string};

use super::text::Text;

/// Containers inside each other; the depth that serde_json, among others, allows.
const DEPTH_MAX: u32 = 127;
/// The longest method of the specification has under 40 bytes.
pub const METHOD_MAX: usize = 64;
/// Names of tools should have at most 128 characters; URIs are longer.
pub const NAME_MAX: usize = 256;
/// An id is a number or a short string.
pub const ID_MAX: usize = 64;

/// How far a scan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// Inside the message.
    Partly,
    /// One whole object.
    Whole,
    /// A list of messages (revision 2025-03-26 alone allows it).
    Batch,
    /// No JSON, or no object.
    Malformed,
}

/// Follows one body.
#[derive(Clone, Debug)]
pub struct BodyScan {
    scanned: Scanned,
    lex: Lex,
    expect: Expect,
    depth: u32,
    /// One bit a container, the innermost lowest: an object or not.
    objects: u128,
    /// What the value to come is.
    slot: Slot,
    /// The member of the message that is open.
    member: Slot,
    key: Text<8>,
    /// The member of `params` that the method wants named.
    names: Option<Slot>,
    seen: u8,
    params_done: bool,
    ambiguous: bool,
    method: Text<METHOD_MAX>,
    name: Text<NAME_MAX>,
    uri: Text<NAME_MAX>,
    id: Text<ID_MAX>,
}

#[derive(Clone, Copy, Debug)]
enum Lex {
    Between,
    String {
        is_key: bool,
        escape: Escape,
        high: u16,
    },
    Number,
    Literal(&'static [u8]),
}

#[derive(Clone, Copy, Debug)]
enum Escape {
    No,
    Backslash,
    Hex { digits: u8, value: u16 },
}

#[derive(Clone, Copy, Debug)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// Members that are looked at; the number is a bit of [`BodyScan::seen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Method,
    Id,
    Params,
    Answer,
    Name,
    Uri,
    Other,
}

impl BodyScan {
    /// The start of a body.
    pub const fn new() -> Self {
        Self {
            scanned: Scanned::Partly,
            lex: Lex::Between,
            expect: Expect::Value,
            depth: 0,
            objects: 0,
            slot: Slot::Other,
            member: Slot::Other,
            key: Text::new(),
            names: None,
            seen: 0,
            params_done: false,
            ambiguous: false,
            method: Text::new(),
            name: Text::new(),
            uri: Text::new(),
            id: Text::new(),
        }
    }

    /// Is the start of a body again. What was kept of the last one is overwritten, not cleared: its
    /// length is what counts.
    pub fn restart(&mut self) {
        self.scanned = Scanned::Partly;
        self.lex = Lex::Between;
        self.expect = Expect::Value;
        (self.depth, self.objects) = (0, 0);
        (self.slot, self.member) = (Slot::Other, Slot::Other);
        (self.names, self.seen) = (None, 0);
        (self.params_done, self.ambiguous) = (false, false);
        self.key.clear();
        self.method.clear();
        self.name.clear();
        self.uri.clear();
        self.id.clear();
    }

    /// Follows the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.follow(bytes, false);
    }

    /// Follows the next bytes until it [has enough](Self::has_enough); those that are left.
    pub fn feed_enough<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.follow(bytes, true)
    }

    fn follow<'a>(&mut self, mut bytes: &'a [u8], until_enough: bool) -> &'a [u8] {
        if matches!(self.scanned, Scanned::Batch | Scanned::Malformed) {
            return &[];
        }
        let mut seen = self.seen;
        while let Some((&byte, rest)) = bytes.split_first() {
            if until_enough && self.seen != seen {
                seen = self.seen;
                if self.has_enough() {
                    return bytes;
                }
            }
            bytes = match self.lex {
                Lex::Between => match byte {
                    b' ' | b'\t' | b'\r' | b'\n' => rest,
                    b'"' => match self.plain_string(rest) {
                        Some(rest) => rest,
                        None => self.step(byte, rest),
                    },
                    _ => self.step(byte, rest),
                },
                Lex::String { .. } => self.string(bytes),
                Lex::Number => self.number(bytes),
                Lex::Literal(expected) => self.literal(expected, byte, rest),
            };
        }
        bytes
    }

    fn number<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let end = bytes.iter().position(|&byte| !is_number(byte));
        let (number, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        self.take(number);
        if !rest.is_empty() {
            self.lex = Lex::Between;
            self.end_value();
        }
        rest
    }

    fn literal<'a>(&mut self, expected: &'static [u8], byte: u8, rest: &'a [u8]) -> &'a [u8] {
        match expected.split_first() {
            Some((&first, [])) if first == byte => {
                self.lex = Lex::Between;
                self.end_value();
            }
            Some((&first, expected)) if first == byte => self.lex = Lex::Literal(expected),
            _ => return self.malformed(),
        }
        rest
    }

    /// Nothing is left to follow.
    fn malformed(&mut self) -> &'static [u8] {
        self.scanned = Scanned::Malformed;
        &[]
    }

    /// How far it has come.
    pub fn scanned(&self) -> Scanned {
        self.scanned
    }

    /// Whether what is still to come can tell nothing that labels and limits need.
    pub fn has_enough(&self) -> bool {
        if self.scanned != Scanned::Partly {
            return true;
        }
        if self.method().is_none() {
            return self.is_answer();
        }
        let is_named = |text: &Text<NAME_MAX>| text.get().is_some();
        self.params_done
            || match self.names {
                None => true,
                Some(Slot::Uri) => self.has(Slot::Uri) && is_named(&self.uri),
                Some(_) => self.has(Slot::Name) && is_named(&self.name),
            }
    }

    /// The method; `None` while unknown, when there is none, and when it is too long to be one.
    pub fn method(&self) -> Option<&[u8]> {
        self.has(Slot::Method).then(|| self.method.get()).flatten()
    }

    /// `params.name`, or for reading a resource `params.uri`.
    pub fn name(&self) -> Option<&[u8]> {
        self.name_for(self.method()?)
    }

    fn name_for(&self, method: &[u8]) -> Option<&[u8]> {
        let (slot, text) = match named_by(method) {
            Some(Slot::Uri) => (Slot::Uri, &self.uri),
            _ => (Slot::Name, &self.name),
        };
        self.has(slot).then(|| text.get()).flatten()
    }

    /// Whether there was such a name, or a URI of whatever length.
    pub fn has_name(&self) -> bool {
        match self.method() {
            Some(b"resources/read") => self.has(Slot::Uri),
            _ => self.name().is_some(),
        }
    }

    /// The start of what is named, which is all of it but for a long URI.
    pub fn name_start(&self) -> &[u8] {
        match self.method() {
            Some(b"resources/read") if self.has(Slot::Uri) => self.uri.start(),
            _ => self.name().unwrap_or_default(),
        }
    }

    /// The id as it is written, if it is a number or a string.
    pub fn id(&self) -> Option<&[u8]> {
        let id = self.has(Slot::Id).then(|| self.id.get()).flatten()?;
        (is_json_number(id) || is_json_string(id)).then_some(id)
    }

    /// Whether there was an id, of whatever kind.
    pub fn has_id(&self) -> bool {
        self.has(Slot::Id)
    }

    /// Whether it answers a request of the server: it has a result or an error, and so far no method.
    pub fn is_answer(&self) -> bool {
        self.has(Slot::Answer) && !self.has(Slot::Method)
    }

    /// Whether parsers might disagree about what it asks for: a member twice or in another case, a
    /// name that is no text, one with bytes that some drop, or one too long to be told from others.
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous || (self.has(Slot::Answer) && self.has(Slot::Method))
    }

    fn has(&self, slot: Slot) -> bool {
        self.seen & 1 << slot as u8 != 0
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn step<'a>(&mut self, byte: u8, rest: &'a [u8]) -> &'a [u8] {
        match (self.expect, byte) {
            (Expect::ValueOrEnd, b']') => self.close(),
            (Expect::KeyOrEnd, b'}') => self.close(),
            (Expect::Value | Expect::ValueOrEnd, _) => self.start_value(byte),
            (Expect::Key | Expect::KeyOrEnd, b'"') => {
                self.key.clear();
                self.lex = Lex::String {
                    is_key: true,
                    escape: Escape::No,
                    high: 0,
                };
            }
            (Expect::Colon, b':') => self.expect = Expect::Value,
            (Expect::CommaOrEnd, b',') => {
                self.expect = match self.in_object() {
                    true => Expect::Key,
                    false => Expect::Value,
                };
            }
            (Expect::CommaOrEnd, b'}') if self.in_object() => self.close(),
            (Expect::CommaOrEnd, b']') if !self.in_object() => self.close(),
            _ => self.scanned = Scanned::Malformed,
        }
        match self.scanned {
            Scanned::Partly | Scanned::Whole => rest,
            Scanned::Batch | Scanned::Malformed => &[],
        }
    }

    fn start_value(&mut self, byte: u8) {
        if self.depth == 0 && byte != b'{' {
            self.scanned = match byte {
                b'[' => Scanned::Batch,
                _ => Scanned::Malformed,
            };
            return;
        }
        match byte {
            b'"' => {
                self.lex = Lex::String {
                    is_key: false,
                    escape: Escape::No,
                    high: 0,
                };
                if self.slot == Slot::Id {
                    self.id.push(b'"');
                }
                return;
            }
            // What names something is text.
            _ if matches!(self.slot, Slot::Method | Slot::Name | Slot::Uri) => {
                self.ambiguous = true;
                self.seen &= !(1 << self.slot as u8);
                self.slot = Slot::Other;
            }
            _ => {}
        }
        match byte {
            b'{' | b'[' => self.open(byte == b'{'),
            b'-' | b'0'..=b'9' => {
                self.lex = Lex::Number;
                self.take(&[byte]);
            }
            b't' => self.lex = Lex::Literal(b"rue"),
            b'f' => self.lex = Lex::Literal(b"alse"),
            b'n' => self.lex = Lex::Literal(b"ull"),
            _ => self.scanned = Scanned::Malformed,
        }
    }

    fn open(&mut self, object: bool) {
        if self.depth == DEPTH_MAX {
            self.scanned = Scanned::Malformed;
            return;
        }
        if self.depth == 1 {
            self.member = self.slot;
        }
        self.slot = Slot::Other;
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        self.expect = match object {
            true => Expect::KeyOrEnd,
            false => Expect::ValueOrEnd,
        };
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
        if self.depth == 1 {
            self.slot = self.member;
        }
        self.end_value();
    }

    fn end_value(&mut self) {
        if self.depth == 1 && self.slot == Slot::Params {
            self.params_done = true;
        }
        self.slot = Slot::Other;
        self.expect = Expect::CommaOrEnd;
        if self.depth == 0 {
            self.expect = Expect::Nothing;
            self.scanned = Scanned::Whole;
        }
    }

    /// Adds to the text that is being kept.
    fn take(&mut self, bytes: &[u8]) {
        match self.slot {
            Slot::Method => self.method.extend(bytes),
            Slot::Name => self.name.extend(bytes),
            Slot::Uri => self.uri.extend(bytes),
            Slot::Id => self.id.extend(bytes),
            Slot::Params | Slot::Answer | Slot::Other => {}
        }
    }

    fn end_string(&mut self, is_key: bool) {
        self.lex = Lex::Between;
        if is_key {
            self.end_key();
            return;
        }
        let is_clear = match self.slot {
            Slot::Method => {
                self.names = self.method.get().and_then(named_by);
                self.method.get().is_some() && self.method.is_sound()
            }
            Slot::Name => self.name.get().is_some() && self.name.is_sound(),
            // Nothing is ruled by URI.
            _ => true,
        };
        self.ambiguous |= !is_clear;
        if matches!(self.slot, Slot::Method | Slot::Name | Slot::Uri) {
            self.seen |= 1 << self.slot as u8;
        }
        self.end_value();
    }
}

impl Default for BodyScan {
    fn default() -> Self {
        Self::new()
    }
}

/// Methods whose name is limited, ruled or counted.
pub fn needs_name(method: &[u8]) -> bool {
    named_by(method).is_some()
}

/// What names what a method is about (the table of `Mcp-Name` in
/// <https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http>).
fn named_by(method: &[u8]) -> Option<Slot> {
    match method {
        b"tools/call" | b"prompts/get" => Some(Slot::Name),
        b"resources/read" => Some(Slot::Uri),
        _ => None,
    }
}

fn is_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

#[cfg(test)]
mod tests;

//! Lists that servers let others keep for a while (`ttlMs`, `cacheScope`), and the few places of their
//! text that are somebody's own.
//!
//! These bodies are short, so they are looked at whole; what is kept and sent is the server's own bytes,
//! with another id and the time that is left in place of the ones that stood there
//! (<https://modelcontextprotocol.io/specification/2026-07-28/server/utilities/caching>).

mod answer;
mod change;
mod members;
mod question;

pub use answer::{ListAnswer, Scope};
pub use change::ChangeWatch;
pub use question::ListQuestion;

/// Whether a method asks for something that may be kept: a list, or what the server can do. What
/// `resources/read` answers may carry the same hints, and is content rather than a list.
pub fn is_list(method: &[u8]) -> bool {
    matches!(
        method,
        b"tools/list"
            | b"prompts/list"
            | b"resources/list"
            | b"resources/templates/list"
            | b"server/discover"
    )
}

/// Whether a text is one JSON value (RFC 8259), in UTF-8.
fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text)
        .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

#[cfg(test)]
mod tests;

//! Who may ask, and how much they may send.

use super::document::Section;
use super::notes::Notes;
use super::tree::Directive;
use super::values::size;

/// Takes a directive about requests as such; `false` for any other.
pub(super) fn access(directive: &Directive, section: &mut Section, notes: &mut Notes) -> bool {
    match (&*directive.name, directive.arg()) {
        ("allow" | "deny", _) => {} // As a list: see `networks`.
        ("client_max_body_size", "0") => section.text("max_body", "off"),
        ("client_max_body_size", value) => match size(value) {
            Some(size) => section.raw("max_body", size),
            None => notes.leave(section, directive, "not a size"),
        },
        ("proxy_request_buffering", "on") => section.raw("buffer_request", "true"),
        ("proxy_request_buffering", _) => {}
        _ => return false,
    }
    true
}

/// The `allow` and `deny` of a block. nginx takes the first that fits; here what is denied is denied
/// whatever is allowed, which comes to the same for lists that end with `all`.
pub(super) fn networks(block: &[Directive], section: &mut Section) {
    let of = |name: &str| -> Vec<&str> {
        block
            .iter()
            .filter(|directive| directive.name == name && directive.arg() != "all")
            .map(Directive::arg)
            .filter(|network| !network.starts_with("unix"))
            .collect()
    };
    let closed = block.iter().any(|d| d.name == "deny" && d.arg() == "all");
    let (allow, deny) = (of("allow"), of("deny"));
    if closed && !allow.is_empty() {
        section.list("allow", &allow);
    }
    if !deny.is_empty() {
        section.list("deny", &deny);
    }
}

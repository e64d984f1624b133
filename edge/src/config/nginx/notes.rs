//! What could not be carried over, said where it would have stood.

use super::document::Section;
use super::known::{Fate, fate};
use super::tree::Directive;

/// Counts what is left out, over the whole conversion.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) left_out: usize,
    /// Routes that let nobody in until a person has looked at them.
    pub(super) closed: usize,
}

impl Notes {
    /// Leaves a directive out, for a reason.
    pub(super) fn leave(&mut self, section: &mut Section, directive: &Directive, reason: &str) {
        self.left_out += 1;
        let file = directive.file.file_name().unwrap_or_default();
        section.comment(format!(
            "not carried over: {}:{}: {} ({reason})",
            file.to_string_lossy(),
            directive.line,
            directive.written(),
        ));
    }

    /// Lets nobody in where any of these is all that kept clients out; `then` is what to do about it.
    pub(super) fn close(&mut self, section: &mut Section, lost: &[&Directive], then: &str) {
        self.closed += 1;
        section.close();
        for directive in lost {
            let file = directive.file.file_name().unwrap_or_default();
            section.comment(format!(
                "closed, for this is not asked here: {}:{}: {}",
                file.to_string_lossy(),
                directive.line,
                directive.written(),
            ));
        }
        section.comment(then);
        section.raw("respond", "503");
    }

    /// What becomes of a directive that nobody looked at.
    pub(super) fn rest(&mut self, section: &mut Section, directive: &Directive) {
        let arg = directive.arg();
        match fate(&directive.name) {
            Some(Fate::Needless) => {}
            // Upgrades are spliced without it; to satisfy all is the only way there is.
            _ if matches!(
                (&*directive.name, arg),
                ("map", "$http_upgrade") | ("satisfy", "all") | ("proxy_request_buffering", "off")
            ) => {}
            // What is not done here and was switched off there.
            Some(Fate::Missing(_)) if directive.args == ["off"] => {}
            Some(Fate::Missing(reason)) => self.leave(section, directive, reason),
            None => self.leave(section, directive, "not known to the conversion"),
        }
    }
}

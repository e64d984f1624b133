//! What a request is about, once that is known: for rules, limits, log and metrics.

use super::header::VALUE_MAX;
use super::scan::METHOD_MAX;
use super::text::Text;

/// Bytes of a tool's name in log and metrics.
const TOOL_MAX: usize = 64;

/// A method, and the name that goes with it. Kept in a box that is handed on, for it is large.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The JSON-RPC method; empty when there is none or it was not read.
    pub method: Text<METHOD_MAX>,
    /// The tool, the prompt or the resource.
    pub name: Text<VALUE_MAX>,
}

impl Subject {
    /// Is about nothing again. What was kept is overwritten, not cleared: its length is what counts.
    pub fn restart(&mut self) {
        self.method.clear();
        self.name.clear();
    }

    /// The tool called, cut where it is long; empty for other methods.
    pub fn tool(&self) -> &[u8] {
        match self.method.get() {
            Some(b"tools/call") => {
                let name = self.name.start();
                &name[..name.len().min(TOOL_MAX)]
            }
            _ => b"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_tools_have_one() {
        let mut subject = Subject::default();
        subject.name.set(b"search");
        assert_eq!(subject.tool(), b"");
        subject.method.set(b"prompts/get");
        assert_eq!(subject.tool(), b"");
        subject.method.set(b"tools/call");
        assert_eq!(subject.tool(), b"search");
        subject.name.set(&[b'x'; VALUE_MAX + 1]);
        assert_eq!(subject.tool(), [b'x'; TOOL_MAX]);
        subject.restart();
        assert_eq!(
            (subject.tool(), subject.name.get()),
            (&b""[..], Some(&b""[..]))
        );
    }
}

//! Stacks counted into a tree. Pure.

use std::collections::BTreeMap;

/// A function, and those it has called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) samples: u64,
    pub(super) calls: BTreeMap<String, Node>,
}

/// All samples, threads first.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) root: Node,
    thread: Option<String>,
    /// Innermost first.
    frames: Vec<String>,
}

impl Folded {
    pub(super) fn samples(&self) -> u64 {
        self.root.samples
    }

    /// A line of `perf script -F comm,ip,sym`: the name of a thread, then an indented line for each
    /// frame, then nothing.
    pub(super) fn line(&mut self, line: &str) {
        if line.trim().is_empty() {
            self.sample();
        } else if line.starts_with([' ', '\t']) && self.thread.is_some() {
            let (_, symbol) = line.trim().split_once(' ').unwrap_or(("", "[unknown]"));
            self.frames.push(plain(symbol));
        } else {
            self.thread = Some(line.trim().to_owned());
        }
    }

    fn sample(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.root.samples += 1;
        let mut node = self.root.calls.entry(thread).or_default();
        node.samples += 1;
        for frame in self.frames.drain(..).rev() {
            node = node.calls.entry(frame).or_default();
            node.samples += 1;
        }
    }
}

/// A symbol without the hash that the compiler adds.
fn plain(symbol: &str) -> String {
    let hash = symbol.rfind("::h").filter(|&at| {
        let hash = &symbol[at + 3..];
        hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    symbol[..hash.unwrap_or(symbol.len())].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_with_the_same_beginning_are_one() {
        let mut folded = Folded::default();
        let text = "worker-0 \n\t 12ab inner::h0123456789abcdef\n\t 34cd outer\n\n\
                    worker-0 \n\t 34cd outer\n\n";
        text.lines().for_each(|line| folded.line(line));
        folded.line("");
        assert_eq!(folded.samples(), 2);
        let outer = &folded.root.calls["worker-0"].calls["outer"];
        assert_eq!((outer.samples, outer.calls["inner"].samples), (2, 1));
    }
}

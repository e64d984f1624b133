//! A valid file with bytes changed, cut, doubled or swapped is valid or has errors that can be
//! shown; it never panics.

use proptest::collection::vec;
use proptest::prelude::*;

use super::support::{MINIMAL, load};

const EXAMPLE: &str = include_str!("../../../../docs/configuration.md");

/// Pieces that mean something to a parser of this file.
const PIECES: &[&str] = &[
    "\"",
    "'",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "#",
    "\\",
    "\0",
    "\u{1b}",
    "é",
    "\u{feff}",
    "0",
    "-1",
    "1e400",
    "999999999999999999999999999999999999999999",
    "0x",
    "true",
    "off",
    "\"off\"",
    "unix:",
    "http://",
    "https://",
    "[::]:443",
    "*.",
    "/..",
    "%",
    "%2f",
    "s",
    "/s",
    "d",
    "KiB",
    "[[host]]\n",
    "[listen]\n",
    "names = [\"*\"]\n",
];

#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, &'static str),
    Remove(usize, usize),
    Double(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<usize>(), proptest::sample::select(PIECES))
            .prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (any::<usize>(), 1..60_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<usize>(), 1..60_usize).prop_map(|(at, length)| Edit::Double(at, length)),
    ]
}

fn apply(text: &mut String, edit: &Edit) {
    let place = |text: &str, at: usize| text.floor_char_boundary(at % (text.len() + 1));
    match *edit {
        Edit::Insert(at, piece) => text.insert_str(place(text, at), piece),
        Edit::Remove(at, length) => {
            let start = place(text, at);
            let end = text.floor_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end.max(start), "");
        }
        Edit::Double(at, length) => {
            let start = place(text, at);
            let end = text.floor_char_boundary((start + length).min(text.len()));
            let piece = text[start..end.max(start)].to_owned();
            text.insert_str(start, &piece);
        }
    }
}

/// Loads and shows everything there is to show.
fn survives(text: &str) -> Result<(), TestCaseError> {
    match load(text) {
        Ok(loaded) => {
            prop_assert!(!loaded.config.hosts.is_empty());
            for host in &loaded.config.hosts {
                prop_assert!(!host.names.is_empty() && !host.routes.is_empty());
                for route in &host.routes {
                    if let Some(upstream) = route.action.upstream() {
                        prop_assert!(!loaded.config.upstreams[upstream.0].servers.is_empty());
                    }
                }
            }
            for warning in &loaded.warnings {
                prop_assert!(!warning.to_string().is_empty());
            }
        }
        Err(errors) => {
            prop_assert!(errors.iter().len() > 0);
            let shown = errors.to_string();
            prop_assert!(
                !shown.contains('\u{1b}') && !shown.contains('\0'),
                "{shown:?}"
            );
            let lines = text.lines().count().max(1);
            for error in errors.iter() {
                prop_assert!(error.line().is_none_or(|line| line <= lines + 1));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edited_example(edits in vec(edit(), 1..6)) {
        let (_, block) = EXAMPLE.split_once("```toml\n").expect("the page has a block");
        let (block, _) = block.split_once("```").expect("the block ends");
        let mut text = block.to_owned();
        edits.iter().for_each(|edit| apply(&mut text, edit));
        survives(&text)?;
    }

    #[test]
    fn an_edited_minimal_file(edits in vec(edit(), 1..8)) {
        let mut text = MINIMAL.to_owned();
        edits.iter().for_each(|edit| apply(&mut text, edit));
        survives(&text)?;
    }

    #[test]
    fn anything(text in ".{0,200}") {
        survives(&text)?;
    }
}

//! The tracker against a plain parser of the standard.

use proptest::prelude::*;

use super::*;
use crate::mcp::KEEP_ALIVE;

fn boundary(stream: &[u8]) -> bool {
    let mut tracker = SseBoundary::new();
    tracker.feed(stream);
    tracker.at_boundary()
}

#[test]
fn a_boundary_is_the_start_or_the_end_of_a_blank_line() {
    for yes in [
        "",
        "\n",
        "\r\n",
        "\u{feff}",
        "\u{feff}\n",
        "data: x\n\n",
        "data: x\r\n\r\n",
        "data: x\r\r",
        "data: x\r\r\r",
        "data: x\r\n\n",
        "data: x\n\r\n",
        "data: x\r\r\n",
        "data: x\n\n\n",
        ":\n\n",
        "a\n\ndata: long enough to be skipped\n\n",
    ] {
        assert!(boundary(yes.as_bytes()), "{yes:?}");
    }
    for no in [
        "d",
        "data: x",
        "data: x\n",
        "data: x\r",
        "data: x\r\n",
        "data: x\n\ndata: y",
        "data: x\n\ndata: y\r\n",
        ":",
        ":\n",
        // LF may follow.
        "\r",
        "data: x\r\n\r",
        "data: x\n\r",
        "data: x\n\n\r",
        // Not the start, so no mark but a line.
        "\n\u{feff}",
    ] {
        assert!(!boundary(no.as_bytes()), "{no:?}");
    }
    assert!(!boundary(&BYTE_ORDER_MARK[..1]));
    assert!(!boundary(&BYTE_ORDER_MARK[..2]));
    // Two bytes of a mark and another are a line.
    assert!(!boundary(b"\xef\xbb\n"));
    assert!(boundary(b"\xef\xbb\n\n"));
}

/// An event as a client sees it: type, data, last id.
type Event = (Vec<u8>, Vec<u8>, Vec<u8>);

/// WHATWG HTML §9.2.6, on bytes.
fn parse(stream: &[u8]) -> (Vec<Event>, Vec<Vec<u8>>) {
    let (mut events, mut retries) = (Vec::new(), Vec::new());
    let (mut kind, mut data, mut id) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines(stream.strip_prefix(&BYTE_ORDER_MARK).unwrap_or(stream)) {
        if line.is_empty() {
            if !data.is_empty() {
                data.pop();
                events.push((kind.clone(), data.clone(), id.clone()));
            }
            kind.clear();
            data.clear();
            continue;
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => kind = value.to_vec(),
            b"data" => data.extend(value.iter().chain(b"\n")),
            b"id" => id = value.to_vec(),
            b"retry" => retries.push(value.to_vec()),
            _ => {}
        }
    }
    (events, retries)
}

/// The lines that are complete.
fn lines(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    while let Some(end) = stream.iter().position(|byte| b"\r\n".contains(byte)) {
        lines.push(&stream[..end]);
        let width = if stream[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        stream = &stream[end + width..];
    }
    lines
}

/// Whether the standard says that the stream may take a comment here: all its lines are complete
/// and the last is blank, or there are none.
fn reference(stream: &[u8]) -> bool {
    let stream = stream.strip_prefix(&BYTE_ORDER_MARK).unwrap_or(stream);
    let complete = stream.last().is_none_or(|byte| b"\r\n".contains(byte));
    complete && lines(stream).last().is_none_or(|line| line.is_empty())
}

/// Whether LF may follow that belongs to the last CR, by the habit of the line before.
fn waits_for_lf(stream: &[u8]) -> bool {
    stream.ends_with(b"\r") && !stream.ends_with(b"\r\r")
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "\n",
        "\n",
        "\r",
        "\r\n",
        "\r\n",
        "\n\n",
        "\r\n\r\n",
        "data",
        ":",
        " ",
        "x",
        "event:e",
        "id:7",
        "data: some text",
        "retry: 5",
        "\u{feff}",
    ]);
    (any::<bool>(), prop::collection::vec(piece, 0..40)).prop_map(|(mark, pieces)| {
        let mark = if mark { &BYTE_ORDER_MARK[..] } else { &[] };
        [mark, pieces.concat().as_bytes()].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_prefix_is_judged_as_the_standard_does(stream in stream()) {
        for end in 0..=stream.len() {
            let prefix = &stream[..end];
            let expected = reference(prefix) && !waits_for_lf(prefix);
            prop_assert_eq!(boundary(prefix), expected, "{:?}", prefix.escape_ascii().to_string());
        }
    }

    #[test]
    fn any_cutting_gives_the_same_answers(stream in stream(), cuts in prop::collection::vec(0usize..12, 1..40)) {
        let mut tracker = SseBoundary::new();
        let mut at = 0;
        for cut in cuts.iter().cycle().take(200) {
            let end = (at + cut).min(stream.len());
            tracker.feed(&stream[at..end]);
            at = end;
            prop_assert_eq!(tracker.at_boundary(), boundary(&stream[..at]));
        }
    }

    #[test]
    fn arbitrary_bytes_are_judged_as_the_standard_does(stream in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(boundary(&stream), reference(&stream) && !waits_for_lf(&stream));
    }

    #[test]
    fn comments_at_boundaries_change_no_event(stream in stream(), choose in prop::collection::vec(any::<bool>(), 200)) {
        let mut with_comments = Vec::new();
        let mut tracker = SseBoundary::new();
        let marked = stream.starts_with(&BYTE_ORDER_MARK);
        for (at, &byte) in stream.iter().enumerate() {
            // Known limit: not before a mark.
            let before_mark = at == 0 && marked;
            if tracker.at_boundary() && choose[at % choose.len()] && !before_mark {
                with_comments.extend_from_slice(KEEP_ALIVE);
                tracker.feed(KEEP_ALIVE);
            }
            with_comments.push(byte);
            tracker.feed(&[byte]);
        }
        prop_assert_eq!(parse(&with_comments), parse(&stream));
    }
}

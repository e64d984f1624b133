//! `[trace]` that cannot be.

use crate::config::tests::support::after;

/// The messages about a table with these lines, without places.
fn trace(lines: &str) -> Vec<String> {
    let shown = after(&format!("[trace]\n{lines}"));
    let messages = shown.lines().filter_map(|line| {
        let (_, rest) = line.strip_prefix("edge.toml:")?.split_once(": ")?;
        Some(rest.to_owned())
    });
    messages.collect()
}

#[test]
fn where_spans_go_and_which() {
    let example = "\"http://127.0.0.1:4318/v1/traces\"";
    let good = format!("endpoint = {example}");
    let several = trace("service = \"\"\nsmaple = 2");
    for message in [
        "`service`: a service has a name",
        &format!("[trace] has no `endpoint`; add `endpoint = {example}`"),
        "unknown key `smaple` in [trace]; did you mean `sample`?",
    ] {
        assert!(several.iter().any(|found| found == message), "{several:?}");
    }
    for (lines, message) in [
        (
            "endpoint = 4318",
            format!("`endpoint`: must be a URL such as {example}, not the number 4318"),
        ),
        (
            "endpoint = \"127.0.0.1:4318\"",
            "`endpoint`: \"127.0.0.1:4318\" is neither http nor https".to_owned(),
        ),
        (
            "endpoint = \"http://127.0.0.1:4318\"",
            "`endpoint`: \"http://127.0.0.1:4318\" has no path; collectors take traces under /v1/traces"
                .to_owned(),
        ),
        (
            &format!("{good}\nsample = 0"),
            "`sample`: 0 is out of bounds; write 1 to 1000000".to_owned(),
        ),
        (
            &format!("{good}\nservice = 1"),
            "`service`: must be a name such as \"edge\", not the number 1".to_owned(),
        ),
    ] {
        assert_eq!(trace(lines), [message]);
    }
}

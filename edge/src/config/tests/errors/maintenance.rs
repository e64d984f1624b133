//! Hosts that are being worked on.

use crate::config::tests::support::{after, host, load};

#[test]
fn wrong_values() {
    for (shown, text) in [
        (
            after("[maintenance]\nretry_after = \"2d\""),
            "`retry_after`: 2d is out of bounds; write 1s to 1d",
        ),
        (
            after("[maintenance]\nfile = \"\"\nexempt = [\"10.0.0.0/33\"]"),
            "edge.toml:7:11: `exempt`",
        ),
        (
            after("[maintenance]\nfile = \"\""),
            "`file`: the path is empty",
        ),
        (after("[maintenance]\nfiel = \"x\""), "did you mean `file`?"),
        (
            host("names = [\"*\"]\nmaintenance = \"on\""),
            "`maintenance`: must be true, false or a table, under [maintenance], not the text \"on\"",
        ),
    ] {
        assert!(shown.contains(text), "no {text:?} in {shown}");
    }
}

#[test]
fn a_host_has_its_own_or_that_of_the_file() {
    let hosts = |top: &str| {
        let text = format!(
            "{top}\n[[host]]\nnames = [\"a.example\"]\n[[host.route]]\nupstream = \"127.0.0.1:1\"\n\
             [[host]]\nnames = [\"b.example\"]\nmaintenance = false\n[[host.route]]\nupstream = \"127.0.0.1:1\"\n\
             [[host]]\nnames = [\"c.example\"]\nmaintenance = true\n[[host.route]]\nupstream = \"127.0.0.1:1\"\n"
        );
        let config = load(&text)
            .unwrap_or_else(|errors| panic!("{errors}"))
            .config;
        config
            .hosts
            .into_iter()
            .map(|host| host.maintenance)
            .collect::<Vec<_>>()
    };
    let [a, b, c] = &hosts("")[..] else {
        panic!("three hosts")
    };
    assert!(a.is_none() && b.is_none() && c.as_ref().is_some_and(|c| c.is_on()));
    let [a, b, c] = &hosts("maintenance = { file = \"/nowhere/closed\" }")[..] else {
        panic!("three hosts")
    };
    assert!(
        a.as_ref().is_some_and(|a| !a.is_on()),
        "there is no such file"
    );
    assert!(b.is_none() && c.as_ref().is_some_and(|c| c.file.is_none()));
}

//! Text that is not TOML, and files with nothing in them.

use crate::config::tests::support::{before, errors};

#[test]
fn syntax() {
    insta::assert_snapshot!(errors("[[host]\nnames = [\"*\"]\n"), @"
    edge.toml:1:8: this is not TOML: unclosed array table, expected `]`
       1 | [[host]
         |        ^
    ");
    insta::assert_snapshot!(errors("a = \nb = yes\nc = 10s\n"), @r#"
    edge.toml:1:5: there is no value after `=`
       1 | a = 
         |     ^
    edge.toml:2:5: text needs quotes: write "yes"
       2 | b = yes
         |     ^^^
    edge.toml:3:5: text needs quotes: write "10s"
       3 | c = 10s
         |     ^^^
    "#);
    insta::assert_snapshot!(errors("names = [\"a\"\n[listen]\nhttp = 1\n"), @"
    edge.toml:2:1: this is not TOML: missing comma between array elements, expected `,`
       2 | [listen]
         | ^
    ");
    insta::assert_snapshot!(errors("workers = 1\nworkers = 2\n"), @"
    edge.toml:2:1: `workers` is there twice
       2 | workers = 2
         | ^^^^^^^
    ");
    insta::assert_snapshot!(errors("server {\n  listen 443;\n}\n"), @"
    edge.toml:1:8: this is not TOML: key with no value, expected `=`
       1 | server {
         |        ^
    edge.toml:2:10: this is not TOML: key with no value, expected `=`
       2 |   listen 443;
         |          ^
    edge.toml:3:1: this is not TOML: invalid key-value pair, expected key
       3 | }
         | ^
    ");
    insta::assert_snapshot!(errors("user = \"edge\n"), @r#"
    edge.toml:1:13: this is not TOML: invalid basic string, expected `"`
       1 | user = "edge
         |             ^
    "#);
    insta::assert_snapshot!(errors("\0"), @"
    edge.toml:1:1: this is not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`
       1 | �
         | ^
    ");
}

#[test]
fn empty_files() {
    insta::assert_snapshot!(errors(""), @r#"edge.toml: there is no [[host]]; add one with `names = ["*"]`, and under it a [[host.route]] with `upstream = "http://127.0.0.1:8000"`"#);
    insta::assert_snapshot!(errors("\u{feff}# nothing\n"), @r#"edge.toml: there is no [[host]]; add one with `names = ["*"]`, and under it a [[host.route]] with `upstream = "http://127.0.0.1:8000"`"#);
    insta::assert_snapshot!(errors("[[host]]\n"), @r#"
    edge.toml:1:1: [[host]] has no `names`; add `names = ["mcp.example.com"]`
       1 | [[host]]
         | ^^^^^^^^
    edge.toml:1:1: this host has no route; add a [[host.route]] with `upstream = "http://127.0.0.1:8000"` under it
       1 | [[host]]
         | ^^^^^^^^
    "#);
    insta::assert_snapshot!(errors("host = []\n"), @r#"
    edge.toml:1:8: there is no [[host]]; add one with `names = ["*"]`, and under it a [[host.route]] with `upstream = "http://127.0.0.1:8000"`
       1 | host = []
         |        ^^
    "#);
}

#[test]
fn long_and_hostile_lines_are_shown_harmlessly() {
    let long = format!("x{} = 1", "y".repeat(300));
    insta::assert_snapshot!(before(&long), @"
    edge.toml:1:1: unknown key `xyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy...`
       1 | xyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy
         | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
    let late = format!("user = \"{}\" # {}", "z".repeat(50), "c".repeat(300));
    insta::assert_snapshot!(before(&late), @r#"
    edge.toml:1:8: `user`: "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz" is not the name of an account
       1 | user = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz" # cccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
         |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    let inline = format!(
        "timeouts = {{ head = \"1s\", {} drain = 5 }}",
        " ".repeat(200)
    );
    insta::assert_snapshot!(before(&inline), @r#"
    edge.toml:1:236: `drain`: must be a duration such as "30s", not the number 5
       1 |                                 drain = 5 }
         |                                         ^
    "#);
    insta::assert_snapshot!(before("\tuser\t= \"\u{1b}[2J\""), @r#"
    edge.toml:1:10: this is not TOML: invalid basic string, expected non-double-quote visible characters, `\`
       1 |  user = "�[2J"
         |          ^
    "#);
    insta::assert_snapshot!(before("\"\\u001b[2J\" = 1"), @r#"
    edge.toml:1:1: unknown key `\u{1b}[2J`
       1 | "\u001b[2J" = 1
         | ^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(before("user = \"nöbödy\""), @r#"
    edge.toml:1:8: `user`: "nöbödy" is not the name of an account
       1 | user = "nöbödy"
         |        ^^^^^^^^
    "#);
}

//! Reading: what is not a text file, and where relative paths start.

use std::fs;
use std::path::Path;

use super::super::Config;
use super::support::{MINIMAL, load};
use crate::clock::monotonic_ns;

/// The error of a file with this content, its directory cut from the message.
fn error(content: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("edge.toml");
    fs::write(&path, content).unwrap();
    shown(&path, directory.path())
}

fn shown(path: &Path, directory: &Path) -> String {
    let error = Config::load(path).expect_err("this file is wrong");
    let directory = format!("{}/", directory.display());
    error.to_string().replace(&directory, "")
}

#[test]
fn a_file_loads_and_relative_paths_start_at_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("edge.toml");
    let text = MINIMAL.replace("names", "certificate = \"c.pem\"\nkey = \"/k.pem\"\nnames");
    fs::write(&path, format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
    let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
    let certificate = config.hosts[0].certificate.clone().unwrap();
    assert_eq!(certificate.chain, directory.path().join("c.pem"));
    assert_eq!(certificate.key, Path::new("/k.pem"));
}

#[test]
fn what_is_not_a_text_file() {
    insta::assert_snapshot!(error(b"\xff\xfeu\0s\0"), @"edge.toml: is UTF-16; save it as UTF-8");
    insta::assert_snapshot!(error(b"a = 1\nb = \"caf\xe9\"\n"), @"edge.toml: line 2 holds the byte 0xe9, which is not UTF-8; save the file as UTF-8");
    insta::assert_snapshot!(error(&vec![b'\n'; 8 * 1024 * 1024 + 1]), @"edge.toml: is larger than 8MiB, so it is not a configuration");
    insta::assert_snapshot!(error(b""), @r#"edge.toml: there is no [[host]]; add one with `names = ["*"]`, and under it a [[host.route]] with `upstream = "http://127.0.0.1:8000"`"#);
    let directory = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(shown(&directory.path().join("none.toml"), directory.path()), @"none.toml: cannot be read: No such file or directory (os error 2)");
    fs::create_dir(directory.path().join("d")).unwrap();
    insta::assert_snapshot!(shown(&directory.path().join("d"), directory.path()), @"d: is a directory; name the file in it");
}

/// Programs write such files: what is done for each host must not grow with the others.
#[test]
fn twenty_thousand_hosts_are_read_in_no_time() {
    let host = |number| {
        format!(
            "[[host]]\nnames = [\"h{number}.example\"]\n[[host.route]]\nupstream = \"127.0.0.1:{}\"\n",
            8000 + number % 100
        )
    };
    let text: String = (0..20_000).map(host).collect();
    let started = monotonic_ns();
    let loaded = load(&format!("[listen]\nhttps = []\n{text}")).expect("all is well");
    assert_eq!(loaded.config.hosts.len(), 20_000);
    // A second here, and more than a minute where lines were counted from the top each time.
    let took_s = (monotonic_ns() - started) / 1_000_000_000;
    assert!(took_s < 20, "{took_s} s");
}

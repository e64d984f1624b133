//! `edge config`: the schema of the file judged by a validator that is not ours, and what is shown.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Process, Setup, edge_binary, light, peer, run_driver};

const LIMIT: Duration = Duration::from_secs(20);

fn edge(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(edge_binary());
    command.args(arguments);
    Process::run("edge", command, LIMIT)
}

#[test]
fn the_schema_takes_every_example_and_nothing_else() {
    let _machine = light();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("our own directory is writable");
        path.display().to_string()
    };
    // Files that the examples name.
    let hash = "1".repeat(64);
    write("keys.txt", &format!("bob sha256:{hash}\n"));
    let user = "ann:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n";
    write("users.htpasswd", user);
    let (code, schema, said) = edge(&["config", "schema"]);
    assert_eq!(code, 0, "{said}");
    let schema = write("schema.json", &schema);

    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| {
        let path = repo.join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let mut good = vec![
        write("deploy.toml", &read("deploy/edge.toml")),
        write("node.toml", &read("edge/tests/nginx/node.toml")),
        write("python.toml", &read("edge/tests/nginx/python.toml")),
        write("test.toml", &Setup::new("127.0.0.1:1").render()),
    ];
    let page = read("docs/configuration.md");
    for (index, block) in page.split("```toml\n").skip(1).enumerate() {
        let (block, _) = block.split_once("```").expect("blocks end");
        good.push(write(&format!("docs-{index}.toml"), block));
        // What is shown of it is a configuration too.
        let file = write(&format!("{index}.toml"), block);
        let (code, shown, said) = edge(&["config", "show", &file]);
        assert_eq!(code, 0, "{said}");
        // Said as it is said to `edge run`.
        assert_eq!(edge(&["config", "show", "--config", &file]).1, shown);
        good.push(write(&format!("shown-{index}.toml"), &shown));
    }
    let whole = std::fs::read_to_string(&good[4]).expect("written above");
    let mut bad = Vec::new();
    for (index, (from, to)) in [
        ("workers = 2", "worker = 2"),
        ("workers = 2", "workers = 0"),
        ("workers = 2", "workers = \"2\""),
        ("handshake = \"10s\"", "handshake = 10"),
        ("handshake = \"10s\"", "handshake = \"10 s\""),
        ("mode = \"auto\"", "mode = \"automatic\""),
        ("requests = \"100/s\"", "requests = \"100/d\""),
        ("head = \"32KiB\"", "head = \"32KB\""),
        ("names = [\"mcp.example.com\"]", ""),
        (
            "names = [\"mcp.example.com\"]",
            "names = \"mcp.example.com\"",
        ),
        ("path = \"/mcp\" ", "path = 5 "),
        ("weight = 1", "weight = 1001"),
        ("\n[quic]", "\n[quick]"),
        ("[upstream.tools.check]", "[upstream.tools.checks]"),
        ("sample = 1", "sample = 1\nsamples = 2"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(whole.contains(from), "{from}");
        bad.push(write(
            &format!("bad-{index}.toml"),
            &whole.replacen(from, to, 1),
        ));
    }
    let mut files = vec![schema.as_str()];
    files.extend(good.iter().chain(&bad).map(String::as_str));
    let found = run_driver("schema_check.py", peer("schema_check.py", &files), LIMIT);
    for file in &good {
        assert_eq!(found[file], serde_json::json!([]), "{file}");
    }
    for file in &bad {
        let text = std::fs::read_to_string(file).expect("written above");
        assert_ne!(found[file], serde_json::json!([]), "{file} passes\n{text}");
    }
}

#[test]
fn a_file_that_is_wrong_is_not_shown() {
    let _machine = light();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("edge.toml");
    std::fs::write(&file, "workers = 0\n").expect("our own directory is writable");
    let (code, shown, said) = edge(&["config", "show", &file.display().to_string()]);
    assert_eq!((code, &*shown), (2, ""));
    assert!(said.contains("edge.toml:1:"), "{said}");
}

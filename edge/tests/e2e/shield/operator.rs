//! What an operator does by hand: lists, bans that travel, the view, and no way to lock oneself out.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::scene::{CALLER, NO_ANSWER, Scene};
use crate::support::{Pair, edge_binary, heavy, ip, wait_until};

const ABUSER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 4);

/// Runs a command that must succeed.
fn run(scene: &Scene, arguments: &[&str]) -> String {
    let (code, output) = scene.edge.command(arguments);
    assert_eq!(code, 0, "edge {arguments:?}: {output}");
    output
}

fn json(scene: &Scene, arguments: &[&str]) -> Value {
    let output = run(scene, arguments);
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
}

fn is_answered(scene: &Scene) -> bool {
    scene.https_answers(ABUSER, Duration::from_millis(300))
}

#[test]
fn lists_change_at_once_and_survive_a_restart() {
    let _machine = heavy();
    let mut scene = Scene::new("lists", "requests = \"off\"");
    assert!(is_answered(&scene));
    run(&scene, &["deny", "add", "10.83.0.4/31", "2001:db8::/32"]);
    assert!(!is_answered(&scene) && scene.https_answers(CALLER, NO_ANSWER));
    assert!(scene.dropped(&["denied"]) >= 1.0);
    let list = json(&scene, &["deny", "list", "--json"]);
    assert_eq!(list[0]["cidr"], "10.83.0.4/31");
    assert_eq!(
        (&list[0]["config"], &list[0]["operator"]),
        (&false.into(), &true.into())
    );

    scene.edge.process.signal(nix::sys::signal::Signal::SIGKILL);
    scene.edge.process.wait(Duration::from_secs(5));
    scene.edge.start_again();
    assert!(!is_answered(&scene), "the list is gone");
    assert_eq!(json(&scene, &["status", "--json"])["deny"], 2);

    // Who is allowed is let in whatever else is said.
    run(&scene, &["ban", "10.83.0.4"]);
    run(&scene, &["allow", "add", "10.83.0.4"]);
    assert!(is_answered(&scene));
    run(&scene, &["allow", "del", "10.83.0.4"]);
    run(&scene, &["deny", "del", "10.83.0.4/31"]);
    assert!(!is_answered(&scene), "the ban stands");
    run(&scene, &["unban", "10.83.0.4"]);
    assert!(is_answered(&scene));

    for wrong in ["10.83.0.4/33", "0.0.0.0/0", "example.com"] {
        let (code, output) = scene.edge.command(&["deny", "add", wrong]);
        assert!(code == 1 && output.contains(wrong), "{code} {output}");
    }
}

#[test]
fn nobody_locks_himself_out_unless_he_insists() {
    let _machine = heavy();
    let scene = Scene::new("lockout", "requests = \"off\"");
    let refused = |arguments: &[&str], why: &str| {
        let (code, output) = scene.edge.command_from(arguments, Some(CALLER.into()));
        assert!(
            code == 1 && output.contains(why),
            "{arguments:?}: {code} {output}"
        );
        assert!(output.contains("--force"), "{output}");
    };
    let (own, caller) = (Pair::HOST.to_string(), CALLER.to_string());
    refused(&["ban", &own], "an address of this machine");
    refused(&["ban", "127.0.0.1"], "loopback");
    refused(&["ban", &caller], "logged in from");
    refused(&["deny", "add", &caller], "logged in from");
    refused(
        &["deny", "add", "10.83.0.0/24"],
        "10.83.0.0/24 is not denied",
    );
    // The way out, once there is one; what is known of the system is a second old at most.
    let (gateway, host) = (ABUSER.to_string(), &scene.pair.host);
    ip(&format!("-n {host} route add default via {gateway}"));
    std::thread::sleep(Duration::from_millis(1100));
    refused(&["deny", "add", &gateway], "default gateway");
    refused(&["ban", &gateway], "default gateway");
    // Nor does a list of bans from elsewhere.
    let file = scene.edge.file("bans.json");
    let bans = [&*own, "127.9.9.9", &*caller, &*gateway, "203.0.113.9"]
        .map(|addr| format!("{{\"addr\":\"{addr}\",\"until_ms\":9999999999999}}"));
    std::fs::write(&file, format!("[{}]", bans.join(","))).expect("our own directory");
    let file = file.display().to_string();
    refused(&["bans", "import", &file], "not taken in: 4 bans");
    let bans = json(&scene, &["bans", "--json"]);
    let bans = bans.as_array().expect("a list");
    assert!(
        bans.len() == 1 && bans[0]["addr"] == "203.0.113.9",
        "{bans:?}"
    );
    assert!(scene.https_answers(CALLER, NO_ANSWER));

    run(&scene, &["deny", "add", "10.83.0.0/24", "--force"]);
    assert!(!scene.https_answers(CALLER, Duration::from_millis(300)));
    assert!(scene.ssh_answers(CALLER), "other ports are not touched");
    run(&scene, &["deny", "del", "10.83.0.0/24"]);
    assert!(scene.https_answers(CALLER, NO_ANSWER));
}

#[test]
fn bans_can_be_taken_elsewhere_and_are_seen() {
    let _machine = heavy();
    let scene = Scene::new("travel", "requests = \"off\"");
    let (abuser, reason) = (ABUSER.to_string(), "scraper of prices");
    run(&scene, &["ban", &abuser, "--for", "1h", "--reason", reason]);
    run(&scene, &["ban", "2001:db8:7::1", "--for", "2h"]);
    let exported = run(&scene, &["bans", "export"]);
    let file = scene.edge.file("bans.json");
    std::fs::write(&file, &exported).expect("our own directory");
    for addr in [&abuser, "2001:db8:7::1"] {
        run(&scene, &["unban", addr]);
    }
    assert!(is_answered(&scene));
    let file = file.display().to_string();
    let taken = run(&scene, &["bans", "import", &file]);
    assert!(taken.contains("took in 2 bans"), "{taken}");
    assert!(!is_answered(&scene));
    let bans = json(&scene, &["bans", "--json"]);
    let ours = bans.as_array().expect("a list").iter();
    let ours = ours
        .clone()
        .find(|ban| ban["addr"] == abuser)
        .expect("it is listed");
    assert_eq!(
        (&ours["reason"], &ours["origin"]),
        (&reason.into(), &"import".into())
    );
    assert!(
        ours["remaining_ms"]
            .as_u64()
            .is_some_and(|ms| ms > 3_500_000),
        "{ours}"
    );
    // A reason is one cell of a table.
    assert!(run(&scene, &["bans"]).contains("2001:db8:7::/64"));

    // As another system's editor leaves it, an address twice, one of them written as IPv6, and one
    // for longer than any ban lasts.
    let entry = |addr: &str, until: u64| format!("{{\"addr\":\"{addr}\",\"until_ms\":{until}}}");
    let entries = [
        entry("203.0.113.1", 9_999_999_999_999),
        entry("::ffff:203.0.113.1", 9_999_999_999_999),
        entry("2001:db8:8::1", u64::MAX),
        entry("203.0.113.2", 1),
    ];
    let text = format!("\u{feff}[\r\n{}\r\n]\r\n", entries.join(",\r\n"));
    std::fs::write(&file, text).expect("our own directory");
    let taken = run(&scene, &["bans", "import", &file]);
    assert!(taken.contains("took in 3 bans, 1 had ended"), "{taken}");
    const DAY_MS: u64 = 86_400_000;
    let bans = json(&scene, &["bans", "--json"]);
    let bans = bans.as_array().expect("a list").iter();
    let longest = bans.filter(|ban| ban["remaining_ms"].as_u64() > Some(364 * DAY_MS));
    let mut longest: Vec<&str> = longest.filter_map(|ban| ban["addr"].as_str()).collect();
    longest.sort_unstable();
    assert_eq!(longest, ["2001:db8:8::", "203.0.113.1"]);
    for addr in ["203.0.113.1", "2001:db8:8::1"] {
        run(&scene, &["unban", addr]);
    }

    let seen = wait_until(Duration::from_secs(5), || {
        assert!(!is_answered(&scene));
        let top = json(&scene, &["top", "--json", "--once"]);
        let sources = top["sources"].as_array().expect("a list");
        let banned = top["packets"].as_array().expect("a list").iter();
        let banned = banned.clone().find(|count| count["verdict"] == "banned");
        banned.is_some_and(|count| count["packets"].as_u64() > Some(0))
            && sources
                .iter()
                .any(|source| source["addr"] == abuser && source["port"] == 443)
            && top["bans_total"] == 2
    });
    assert!(seen, "{}", run(&scene, &["top", "--once"]));
    let log = scene.edge.process.stderr();
    let line = log.lines().find(|line| line.contains("dropped a packet"));
    let line: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{log}"))).expect("JSON");
    assert_eq!(
        (&line["addr"], &line["verdict"]),
        (&abuser.into(), &"banned".into())
    );
}

#[test]
fn commands_refuse_nonsense_and_say_what_it_is() {
    let _machine = heavy();
    let scene = Scene::new("nonsense", "requests = \"off\"");
    let path = scene.edge.file("nonsense.json").display().to_string();
    let refused = |arguments: &[&str], code: i32, what: &str| {
        let (found, output) = scene.edge.command(arguments);
        assert!(
            found == code && output.contains(what),
            "{arguments:?}: {found} {output}"
        );
        assert!(!output.contains("panicked"), "{output}");
    };
    let long = "x".repeat(201);
    for arguments in [
        &["ban", "203.0.113.7/24"][..],
        &["ban", "fe80::1%eth0"],
        &["ban", "203.0.113.07"],
        &["ban", "-1"],
        &["ban", ""],
        &["ban", "203.0.113.7", "--for", "0s"],
        &["ban", "203.0.113.7", "--for", "366d"],
        &["ban", "203.0.113.7", "--for", "99999999999999999999d"],
        &["ban", "203.0.113.7", "--reason", "two\nlines"],
        &["ban", "203.0.113.7", "--reason", "\u{1b}[2J"],
        &["ban", "203.0.113.7", "--reason", &long],
        &["unban", "everybody"],
        &["bans", "--json", "export"],
        &["allow", "add"],
        &["deny", "list", "203.0.113.7"],
        &["top", "--often"],
    ] {
        refused(arguments, 2, "");
    }
    for entry in [
        "",
        " ",
        "203.0.113.7/33",
        "::/129",
        "203.0.113.7/-1",
        "1.2.3",
        "#",
    ] {
        refused(&["deny", "add", entry], 1, "were not added");
        refused(&["allow", "add", entry], 1, "were not added");
        refused(&["deny", "del", entry], 1, "were not removed");
    }
    refused(&["deny", "add", "::/0"], 1, "would shut out");
    // No packet comes from these, whatever is forced.
    for addr in [
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "::ffff:224.0.0.1",
    ] {
        refused(&["ban", addr], 1, "no packet comes from it");
        refused(&["ban", addr, "--force"], 1, "no packet comes from it");
    }
    for (text, what) in [
        ("", "a list of bans"),
        ("{}", "a list of bans"),
        (
            "[\n {\"addr\":\"203.0.113.7\",\"until_ms\":9999999999999},\n {\"ad",
            "line 3",
        ),
        (
            "[{\"addr\":\"203.0.113.7\",\"until_ms\":9999999999999},\r\n{\"addr\":\"203.0.113.8\",\"for_ms\":1}]",
            "unknown field `for_ms`, expected one of `addr`, `until_ms`, `reason` at line 2",
        ),
        ("[{\"addr\":\"203.0.113.7\",\"until_ms\":1e99}]", "u64"),
        (
            "[{\"addr\":\"203.0.113.7\",\"until_ms\":9999999999999999999999}]",
            "u64",
        ),
        ("[{\"addr\":\"203.0.113.7\"}]", "until_ms"),
        (
            "[{\"addr\":\"203.0.113.7/8\",\"until_ms\":1}]",
            "IP address",
        ),
        ("[{\"addr\":\"203.0.113.7\",\"until_ms\":-1}]", "u64"),
    ] {
        std::fs::write(&path, text).expect("our own directory");
        refused(&["bans", "import", &path], 2, what);
    }
    std::fs::write(&path, b"[\xff\xfe]").expect("our own directory");
    refused(&["bans", "import", &path], 1, "UTF-8");
    refused(&["bans", "import", "/nowhere"], 1, "/nowhere");
    refused(&["bans", "import", "/"], 1, "cannot read /: Is a directory");
    assert_eq!(json(&scene, &["bans", "--json"]), Value::Array(Vec::new()));
    assert_eq!(
        json(&scene, &["deny", "list", "--json"]),
        Value::Array(Vec::new())
    );

    // What another machine has written down does not move the cursor of this one's terminal.
    let ban =
        "[{\"addr\":\"203.0.113.7\",\"until_ms\":9999999999999,\"reason\":\"a\\u001b[2J\\nb\"}]";
    std::fs::write(&path, ban).expect("our own directory");
    run(&scene, &["bans", "import", &path]);
    for arguments in [&["bans"][..], &["top", "--once"]] {
        let shown = run(&scene, arguments);
        assert!(shown.contains("a [2J b"), "{shown:?}");
    }
    assert!(scene.https_answers(CALLER, NO_ANSWER));
}

/// A program in a terminal of its own, made by script(1).
struct Terminal {
    child: Child,
    shown: std::sync::mpsc::Receiver<Vec<u8>>,
    screen: String,
}

impl Terminal {
    fn run(shell: &str) -> Terminal {
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", shell, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script(1)");
        let (send, shown) = std::sync::mpsc::channel();
        let mut output = child.stdout.take().expect("it is piped");
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                if send.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal {
            child,
            shown,
            screen: String::new(),
        }
    }

    fn keys(&mut self, keys: &[u8]) {
        let input = self.child.stdin.as_mut().expect("it is piped");
        input.write_all(keys).expect("it takes keys");
        input.flush().expect("it takes keys");
    }

    /// Waits until something has been shown since the last time.
    fn shows(&mut self, text: &str) {
        let found = wait_until(Duration::from_secs(10), || {
            while let Ok(bytes) = self.shown.try_recv() {
                self.screen.push_str(&String::from_utf8_lossy(&bytes));
            }
            self.screen.contains(text)
        });
        assert!(found, "{text:?} is not in {:?}", self.screen);
        self.screen.clear();
    }

    fn ends(&mut self) {
        let over = wait_until(Duration::from_secs(5), || {
            self.child.try_wait().expect("our child").is_some()
        });
        assert!(over, "it goes on");
        let status = self.child.wait().expect("our child");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_view_takes_keys_and_gives_the_terminal_back() {
    const ENTERED: &str = "\x1b[?1049h";
    const LEFT: &str = "\x1b[?25h\x1b[?1049l";
    let _machine = heavy();
    let scene = Scene::new("top", "requests = \"off\"");
    run(&scene, &["ban", &ABUSER.to_string(), "--for", "1h"]);
    let (edge, socket) = (edge_binary(), scene.edge.file("admin.sock"));
    let settings = |name: &str| scene.edge.file(name);
    let command = format!(
        "stty -a >{before}; {edge} top --socket {socket}; code=$?; stty -a >{after}; exit $code",
        edge = edge.display(),
        socket = socket.display(),
        before = settings("before").display(),
        after = settings("after").display(),
    );
    // q, Esc, ^C, ^D; what came with it makes no difference.
    for last in [&b"q"[..], b"\x1b", b"\x03", b"\x04", b"xq"] {
        let mut terminal = Terminal::run(&command);
        terminal.shows(ENTERED);
        terminal.shows(&ABUSER.to_string());
        // Keys that mean nothing, an arrow among them: the view goes on.
        for keys in [&b"x"[..], b"\x1b[A", b"\x1a"] {
            terminal.keys(keys);
            terminal.shows(&ABUSER.to_string());
        }
        terminal.keys(last);
        terminal.shows(LEFT);
        terminal.ends();
        let read = |name| std::fs::read_to_string(settings(name)).expect("stty wrote it");
        assert_eq!(read("before"), read("after"), "after {last:?}");
    }
    let mut terminal = Terminal::run(&command);
    terminal.shows(ENTERED);
    // The service behind it is gone.
    drop(scene);
    terminal.shows(LEFT);
}

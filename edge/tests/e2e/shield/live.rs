//! A configuration that changes while packets come.

use std::time::Duration;

use super::scene::{CALLER, Scene};
use crate::support::heavy;

const ATTEMPTS: usize = 10;
const LIMIT: &str = "connections = \"0.01/s\"\nconnections_burst = 3";

/// Takes these keys into the section of the shield.
fn reload(scene: &mut Scene, keys: &str) -> (i32, String) {
    let always = "mode = \"native\"\ninterfaces = [\"veth-h\"]\nrequired = true";
    scene.edge.change("shield", &format!("{always}\n{keys}"));
    scene.edge.rewrite(&scene.edge.config());
    scene.edge.command(&["reload"])
}

/// How many connection attempts in a row are answered.
fn answered(scene: &Scene) -> usize {
    let patience = Duration::from_millis(300);
    (0..ATTEMPTS)
        .filter(|_| scene.https_answers(CALLER, patience))
        .count()
}

#[test]
fn limits_change_live_and_can_be_tried_first() {
    let _machine = heavy();
    let mut scene = Scene::new("live", "requests = \"off\"");
    assert_eq!(answered(&scene), ATTEMPTS);
    let watched = |scene: &Scene| {
        let label = ["verdict=\"connection_rate\""];
        let page = scene.edge.metrics();
        page.sum("edge_shield_watched_packets_total", &label)
    };

    let (code, output) = reload(&mut scene, &format!("{LIMIT}\nmonitor = true"));
    assert_eq!(code, 0, "{output}");
    assert_eq!(answered(&scene), ATTEMPTS, "nothing is dropped");
    assert!(watched(&scene) >= (ATTEMPTS - 3) as f64);
    assert_eq!(scene.dropped(&["connection_rate"]), 0.0);

    let before = watched(&scene);
    let (code, output) = reload(&mut scene, LIMIT);
    assert_eq!(code, 0, "{output}");
    assert!(answered(&scene) <= 3, "more than the burst");
    assert!(scene.dropped(&["connection_rate"]) >= 1.0);
    assert_eq!(watched(&scene), before);

    let (code, output) = reload(&mut scene, "connections = \"1000/s\"");
    assert_eq!(code, 0, "{output}");
    assert_eq!(answered(&scene), ATTEMPTS);
}

#[test]
fn a_list_with_a_bad_line_is_refused_by_its_number() {
    let _machine = heavy();
    let mut scene = Scene::with("lines", "requests = \"off\"", "deny_files = [\"deny.txt\"]");
    let write = |text: &str| {
        std::fs::write(scene.edge.file("deny.txt"), text).expect("our own directory");
    };
    write(&format!(
        "# the caller\n{CALLER} # today\n\n::ffff:198.51.100.0/120\n"
    ));
    let (code, output) = scene.edge.command(&["reload"]);
    assert_eq!(code, 0, "{output}");
    let (_, list) = scene.edge.command(&["deny", "list"]);
    assert!(list.contains("198.51.100.0/24"), "{list}");
    assert_eq!(answered(&scene), 0);

    for (line, why) in [
        ("198.51.100.0/33", "198.51.100.0/33"),
        ("0.0.0.0/0", "would shut out"),
        ("evil.example", "evil.example"),
    ] {
        std::fs::write(scene.edge.file("deny.txt"), format!("# one\n\n{line}\n"))
            .expect("our own directory");
        let (code, output) = scene.edge.command(&["reload"]);
        assert!(
            code != 0 && output.contains("deny.txt:3") && output.contains(why),
            "{code} {output}"
        );
        assert!(
            !scene.https_answers(CALLER, Duration::from_millis(300)),
            "{line}"
        );
    }
    let (code, output) = reload(&mut scene, "");
    assert_eq!(code, 0, "{output}");
    assert_eq!(answered(&scene), ATTEMPTS);
}

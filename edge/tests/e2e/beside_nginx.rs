//! Debian's nginx and edge side by side, with the same configuration and the same requests: every
//! difference is explained in `tests/nginx/differences.md`, and every explanation is of a difference.

mod exchange;
mod explained;
mod front;
mod kept_out;
mod origin;
mod requests;

use std::collections::BTreeSet;

use crate::support::{ALPN_H1, ALPN_H2, heavy, tls_config_of};

use exchange::{Case, Facts, Tls, differences};
use explained::{Row, table};
use front::{Front, Kind, Scene};
use origin::Origin;

/// What each program made of each request.
struct Outcome {
    kind: Kind,
    facts: Vec<(&'static str, Facts)>,
}

/// Compares every edge with nginx and both with the table.
fn judge(outcomes: &[Outcome], table: &[Row]) {
    let nginx = &outcomes[0];
    let mut unexplained = Vec::new();
    let mut idle = Vec::new();
    for edge in &outcomes[1..] {
        let mut used = BTreeSet::new();
        for ((name, theirs), (_, ours)) in nginx.facts.iter().zip(&edge.facts) {
            for (fact, theirs, ours) in differences(theirs, ours) {
                // All that fit count: one of them may be about more than this.
                let fitting = table.iter().enumerate().filter(|(_, row)| {
                    row.is_about(edge.kind) && row.fits(name, &fact, &theirs, &ours)
                });
                let fitting: Vec<usize> = fitting.map(|(index, _)| index).collect();
                if fitting.is_empty() {
                    unexplained.push(format!(
                        "{:?}: {name}: {fact}: nginx {theirs:?}, edge {ours:?}",
                        edge.kind
                    ));
                }
                used.extend(fitting);
            }
        }
        for (index, row) in table.iter().enumerate() {
            if row.is_about(edge.kind) && !used.contains(&index) {
                idle.push(format!("{:?}: {}", edge.kind, row.line));
            }
        }
    }
    assert!(
        unexplained.is_empty() && idle.is_empty(),
        "not explained:\n{}\nexplained but not so:\n{}",
        unexplained.join("\n"),
        idle.join("\n")
    );
}

fn run(front: &Front, origin: &Origin, cases: &[Case], tls: &Tls, into: &mut Outcome) {
    for case in cases {
        into.facts.push((case.name, case.facts(front, origin, tls)));
    }
}

fn tls(scene: &Scene, leaf: Option<&crate::support::Leaf>, name: &'static str) -> Tls {
    let roots = scene.server.roots();
    Tls {
        name,
        h1: tls_config_of(&roots, ALPN_H1, leaf),
        h2: tls_config_of(&roots, ALPN_H2, leaf),
    }
}

#[test]
fn a_node_server() {
    let _machine = heavy();
    let origin = Origin::start();
    // A test cannot wait for 30 s, and sends more than a request in two seconds.
    let changes = [
        ("rate=30r/m", "rate=100r/s"),
        ("\"30/m\"", "\"100/s\""),
        ("30s", "2s"),
    ];
    let scene = Scene::new("node", origin.address, &changes);
    let mut fronts = Vec::new();
    let mut outcomes = Vec::new();
    for kind in [Kind::Nginx, Kind::Written, Kind::Imported] {
        let front = scene.start(kind);
        let mut outcome = Outcome {
            kind,
            facts: Vec::new(),
        };
        let known = tls(&scene, None, "mcp.example.com");
        run(&front, &origin, &requests::node(), &known, &mut outcome);
        let other = tls(&scene, None, "other.example.com");
        run(
            &front,
            &origin,
            &requests::unknown_name(),
            &other,
            &mut outcome,
        );
        fronts.push(front);
        outcomes.push(outcome);
    }
    origin.stop();
    for (front, outcome) in fronts.iter().zip(&mut outcomes) {
        let known = tls(&scene, None, "mcp.example.com");
        run(front, &origin, &requests::nobody_there(), &known, outcome);
    }
    judge(&outcomes, &table("node.conf"));
}

#[test]
fn a_python_server() {
    let _machine = heavy();
    let origin = Origin::start();
    let scene = Scene::new("python", origin.address, &[]);
    let alice = scene
        .clients
        .leaf(scene.dir.path(), "alice", &["alice.test"]);
    let stranger = scene
        .server
        .leaf(scene.dir.path(), "stranger", &["stranger.test"]);
    let mut outcomes = Vec::new();
    for kind in [Kind::Nginx, Kind::Written, Kind::Imported] {
        let front = scene.start(kind);
        let mut outcome = Outcome {
            kind,
            facts: Vec::new(),
        };
        let known = tls(&scene, Some(&alice), "mcp.example.com");
        run(&front, &origin, &requests::python(), &known, &mut outcome);
        for (leaf, cases) in [
            (None, requests::without_certificate()),
            (Some(&stranger), requests::with_another_certificate()),
        ] {
            let tls = tls(&scene, leaf, "mcp.example.com");
            run(&front, &origin, &cases, &tls, &mut outcome);
        }
        outcomes.push(outcome);
    }
    judge(&outcomes, &table("python.conf"));
}

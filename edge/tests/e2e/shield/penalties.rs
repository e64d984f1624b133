//! From offences to bans that grow and are forgotten, in real time.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::scene::{CALLER, NO_ANSWER, Scene};
use crate::support::{Client, Pair, heavy, inside, wait_until};

const ABUSER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 4);

/// Sends a request until nothing comes back: how often something did.
fn offend_until_banned(scene: &Scene, request: &'static str) -> usize {
    let http = SocketAddr::from((Pair::HOST, 80));
    inside(&scene.pair.client, move || {
        let patience = Duration::from_millis(400);
        for answers in 0..50 {
            let Some(client) = Client::plain_from(ABUSER.into(), http, patience) else {
                return answers;
            };
            let mut socket = client.socket();
            // What was not answered must not be sent again when the ban is over.
            let at_once = Some(Duration::ZERO);
            socket2::SockRef::from(&socket)
                .set_linger(at_once)
                .expect("a socket");
            let _ = socket.set_read_timeout(Some(patience));
            let mut answer = [0; 12];
            if socket.write_all(request.as_bytes()).is_err()
                || socket.read_exact(&mut answer).is_err()
            {
                return answers;
            }
            assert_eq!(&answer, b"HTTP/1.1 400", "{}", answer.escape_ascii());
        }
        50
    })
}

fn only_ban(scene: &Scene) -> serde_json::Value {
    let (code, text) = scene.edge.command(&["bans", "--json"]);
    assert_eq!(code, 0, "{text}");
    let bans: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(bans.as_array().map(Vec::len), Some(1), "{text}");
    bans[0].clone()
}

#[test]
fn bans_grow_with_each_offence_and_are_forgotten() {
    let _machine = heavy();
    // Five points for a malformed request, all of ten for one that is framed twice.
    let limit = "requests = \"off\"\n[limit.penalty]\nrefused = 10\nwithin = \"2s\"\nban = \"1s\"\n\
                 ban_max = \"3s\"\nforget = \"2s\"\nmalformed = 5\nsmuggling = 10";
    let scene = Scene::new("grow", limit);
    let malformed = "GET / HTTP/1.1\r\nHost: a b\r\n\r\n";
    let smuggled = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\
                    Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

    let mut lengths = Vec::new();
    for (round, reason) in [(1, "malformed"), (2, "malformed"), (3, "smuggling")] {
        let request = if reason == "malformed" {
            malformed
        } else {
            smuggled
        };
        let answers = offend_until_banned(&scene, request);
        let since = Instant::now();
        assert!(answers < 10, "{answers} offences of weight without a ban");
        let ban = only_ban(&scene);
        assert_eq!(ban["count"], round, "{ban}");
        assert_eq!(
            (&ban["origin"], &ban["reason"]),
            (&"protocol".into(), &reason.into())
        );
        assert!(scene.https_answers(CALLER, NO_ANSWER), "others are served");
        let free = wait_until(Duration::from_secs(6), || {
            scene.https_answers(ABUSER, Duration::from_millis(100))
        });
        assert!(free, "still banned");
        lengths.push(since.elapsed().as_secs_f64());
    }
    // One second, two, and the longest. The ban began up to the patience of the abuser earlier.
    for (length, expected) in lengths.iter().zip([1.0, 2.0, 3.0]) {
        let range = expected - 0.9..expected + 0.7;
        assert!(range.contains(length), "{lengths:?}");
    }
    assert!(
        lengths[1] > lengths[0] + 0.5 && lengths[2] > lengths[1] + 0.5,
        "{lengths:?}"
    );

    std::thread::sleep(Duration::from_millis(2300));
    offend_until_banned(&scene, smuggled);
    assert_eq!(only_ban(&scene)["count"], 1, "what was before is forgotten");
    let page = scene.edge.metrics();
    assert!(page.sum("edge_bans_total", &["origin=\"protocol\""]) >= 4.0);
    assert_eq!(page.sum("edge_shield_bans", &[]), 1.0);
}

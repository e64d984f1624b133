//! What servers say, and what clients hear of those that say nothing.

use std::net::SocketAddr;

use super::{ADD, CALL, LEGACY, MODERN, error_of};
use crate::support::{Answer, Setup, Upstream, free_port, light, rpc};

#[test]
fn what_servers_say_passes_as_they_say_it() {
    let _machine = light();
    let error = r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"mine"},"id":null}"#;
    let statuses = ["202 Accepted", "400 Bad Request", "405 Method Not Allowed"];
    let statuses = [
        &statuses[..],
        &["406 Not Acceptable", "415 Unsupported Media Type"],
    ]
    .concat();
    let upstreams: Vec<Upstream> = statuses
        .iter()
        .map(|status| {
            let body = if status.starts_with("202") { "" } else { error };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nAllow: POST\r\nContent-Length: {length}"
            );
            Upstream::start(Answer::Keep(format!("{head}\r\n\r\n{body}").into()))
        })
        .collect();
    let routes: String = upstreams
        .iter()
        .zip(&statuses)
        .map(|(upstream, status)| {
            let (path, server) = (&status[..3], upstream.address);
            format!(
                "[[host.route]]\npath = \"/{path}\"\nupstream = \"http://{server}\"\nmcp = true\n"
            )
        })
        .collect();
    let edge = Setup::new(upstreams[0].address)
        .route("mcp = true")
        .more_routes(&routes)
        .start();
    let mut client = edge.plain();
    for status in &statuses {
        let path = format!("/{}", &status[..3]);
        for headers in [&[LEGACY][..], &[MODERN, CALL, "Mcp-Name: add"]] {
            // A list of messages is for the server to judge where nothing is ruled here.
            for body in [ADD, &format!("[{ADD}]")] {
                let response = client.exchange(rpc(&path, headers, body));
                assert_eq!(response.status.to_string(), status[..3], "{headers:?}");
                let said = if response.status == 202 { "" } else { error };
                assert_eq!(
                    (response.text().as_str(), response.header("allow")),
                    (said, Some("POST"))
                );
            }
        }
    }
}

/// Where nothing is ruled, nothing behind the name of a tool is read until it is needed, and of what headers
/// tell nothing at all.
#[test]
fn an_id_at_the_end_comes_back_from_a_server_that_fails() {
    let _machine = light();
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let edge = Setup::new(nobody).route("[host.route.mcp]").start();
    let mut client = edge.plain();
    for (method, name) in [("tools/call", "add"), ("tools/list", ""), ("a/b", "")] {
        let message = format!(
            r#"{{"method":"{method}","params":{{"name":"{name}","a":[{{"id":1}}]}},"jsonrpc":"2.0","id":"z-7"}}"#
        );
        let (told, named) = (format!("Mcp-Method: {method}"), format!("Mcp-Name: {name}"));
        for headers in [&[][..], &[MODERN, &told, &named]] {
            let answer = client.exchange(rpc("/mcp", headers, &message));
            let (status, body) = (answer.status, answer.text());
            assert!(
                status == 502 && body.contains(r#""id":"z-7","#),
                "{method} {headers:?}: {status} {body}"
            );
        }
    }
}

#[test]
fn a_server_that_takes_too_long_is_told_in_json_rpc() {
    let _machine = light();
    let upstream = Upstream::start(Answer::Hold(Vec::new()));
    let edge = Setup::new(upstream.address)
        .route("response_timeout = \"200ms\"\nmcp = true")
        .start();
    for headers in [&[LEGACY][..], &[MODERN, CALL, "Mcp-Name: add"]] {
        let (status, error, retry_after) = error_of(&edge, &rpc("/mcp", headers, ADD));
        assert_eq!(
            (status, &error["error"]["code"], &error["id"]),
            (504, &(-32004).into(), &7.into()),
            "{headers:?} {error}"
        );
        // It may have run: nobody is asked to call once more.
        assert_eq!(retry_after, None);
    }
    let line = edge.log_line(|line| line["status"] == 504);
    assert_eq!(line["error"], "upstream_timeout");
}

/// Tokens that are bound to a key (RFC 9449) are for the server to judge.
#[test]
fn proofs_of_possession_pass_and_are_not_logged() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address).route("mcp = true").start();
    let proof = ["Authorization: DPoP bound-token", "DPoP: the-proof"];
    let headers = [MODERN, CALL, "Mcp-Name: add", proof[0], proof[1]];
    let answer = edge.plain().exchange(rpc("/mcp", &headers, ADD));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = upstream.received().to_ascii_lowercase();
    for line in proof {
        assert!(received.contains(&line.to_ascii_lowercase()), "{received}");
    }
    let line = edge.log_line(|line| line["status"] == 200).to_string();
    assert!(
        !line.contains("bound-token") && !line.contains("the-proof"),
        "{line}"
    );
}

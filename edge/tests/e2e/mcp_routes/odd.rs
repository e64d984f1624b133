//! What no client of an SDK sends: it passes as it came or is refused, and is never taken for something
//! else.

use super::{ADD, CALL, LEGACY, LIMIT, MODERN, RULES, SHELL, error_of};
use crate::support::{Client, Setup, Upstream, light, rpc, tool_call};

/// A request of JSON-RPC whose body may be any bytes.
fn raw(headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut request = rpc("/mcp", headers, "").into_bytes();
    let length = b"Content-Length: 0";
    let at = memchr::memmem::find(&request, length).expect("it has a length");
    let with = format!("Content-Length: {}", body.len());
    request.splice(at..at + length.len(), with.bytes());
    request.extend_from_slice(body);
    request
}

fn answer(client: &mut Client, request: &[u8]) -> (u16, String) {
    client.send(request);
    let response = client.response_within(false, LIMIT).expect("an answer");
    (response.status, response.text())
}

#[test]
fn odd_messages_are_refused_by_what_they_say() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address).route(RULES).start();
    let with_id = |id: &str| SHELL.replacen("7", id, 1);
    let digits = "9".repeat(400);
    // What of the id comes back: as it was written, where it is one.
    for (id, expected) in [
        ("1.50e+3", "1.50e+3"),
        ("-0", "-0"),
        ("9007199254740993", "9007199254740993"),
        (r#""a\u0041\n\"""#, r#""a\u0041\n\"""#),
        (digits.as_str(), "null"),
        ("null", "null"),
        ("true", "null"),
        ("[7]", "null"),
        (r#"{"id":7}"#, "null"),
    ] {
        let (status, body) = answer(&mut edge.plain(), &raw(&[], with_id(id).as_bytes()));
        let named = format!(r#""id":{expected},"#);
        assert!(
            status == 403 && body.contains(&named),
            "{id}: {status} {body}"
        );
    }
    let body = with_id("\"\u{1}\"").replace('\u{1}', "\u{fffd}");
    let mut bytes = body.into_bytes();
    let at = memchr::memmem::find(&bytes, "\u{fffd}".as_bytes()).expect("it is there");
    bytes.splice(at..at + 3, [0xff]);
    let (status, body) = answer(&mut edge.plain(), &raw(&[], &bytes));
    assert!(
        status == 403 && body.contains(r#""id":null,"#),
        "{status} {body}"
    );

    let name = |name: &[u8]| -> Vec<u8> {
        let at = memchr::memmem::find(SHELL.as_bytes(), b"shell").expect("it is there");
        [&SHELL.as_bytes()[..at], name, &SHELL.as_bytes()[at + 5..]].concat()
    };
    let method = |text: &str| SHELL.replace("tools/call", text).into_bytes();
    let member = |text: &str| SHELL.replace("\"name\"", text).into_bytes();
    let answering = br#"{"jsonrpc":"2.0","id":7,"result":{}}"#.to_vec();
    let batch = format!("[{SHELL},{ADD}]").into_bytes();
    let twice = SHELL
        .replacen("\"id\":7", "\"id\":7,\"id\":7", 1)
        .into_bytes();
    let modern = &[MODERN, CALL, "Mcp-Name: add"][..];
    let newer = &["MCP-Protocol-Version: 2099-01-01", CALL, "Mcp-Name: add"][..];
    for (headers, body, status, code) in [
        // Escapes mean what they mean.
        (&[][..], name(br"\u0073hell"), 403, -32003),
        (&[], name(br"she\u006c\u006C"), 403, -32003),
        (&[], method(r"tools\/call"), 403, -32003),
        (&[], member(r#""n\u0061me""#), 403, -32003),
        // Some drop such bytes, some end a text at a null.
        (&[], name(b"sh\xffell"), 400, -32600),
        (&[], name(b"\xc1\xb3hell"), 400, -32600),
        (&[], name(br"shell\u0000x"), 400, -32600),
        (&[], name(br"\ud800shell"), 400, -32600),
        (&[], twice, 400, -32600),
        (&[], batch.clone(), 400, -32600),
        (&[LEGACY], batch.clone(), 400, -32600),
        (modern, batch, 400, -32600),
        // Headers that say something else, in both eras that there are and one to come.
        (modern, answering, 400, -32020),
        (modern, ADD.replace("call", "list").into(), 400, -32020),
        (modern, SHELL.into(), 400, -32020),
        (newer, SHELL.into(), 400, -32020),
        (
            &["MCP-Protocol-Version: 2099-01-01"],
            ADD.into(),
            400,
            -32020,
        ),
        // Two eras are none, so that the body is looked at.
        (
            &[MODERN, MODERN, CALL, "Mcp-Name: add"],
            SHELL.into(),
            403,
            -32003,
        ),
        (&[MODERN, LEGACY], SHELL.into(), 403, -32003),
        (
            &["MCP-Protocol-Version: 2026-07-28 "],
            ADD.into(),
            400,
            -32020,
        ),
    ] {
        let shown = format!("{headers:?} {}", body.escape_ascii());
        let (got, text) = answer(&mut edge.plain(), &raw(headers, &body));
        let error: serde_json::Value = serde_json::from_str(&text).expect(&shown);
        assert_eq!(
            (got, error["error"]["code"].as_i64()),
            (status, Some(code)),
            "{shown}: {text}"
        );
    }
    // What a server would take for another message, as this type says: Express decodes the one, and reads
    // the other as a form.
    let hidden = ADD.replacen("\"name\"", "\"+AG4-ame\":\"shell\",\"name\"", 1);
    let form = ADD.replacen("add", "add&method=tools/call&params[name]=shell&x=", 1);
    for (kind, body) in [
        ("application/json; charset=utf-7", &hidden),
        ("application/json; charset=utf-8; charset=utf-7", &hidden),
        (
            "application/json\r\nContent-Type: application/json; charset=utf-7",
            &hidden,
        ),
        (
            "application/x-www-form-urlencoded; a=application/json",
            &form,
        ),
        ("text/plain", &form),
    ] {
        for headers in [&[][..], modern] {
            let request = rpc("/mcp", headers, body).replacen("application/json", kind, 1);
            let (status, error, _) = error_of(&edge, &request);
            assert_eq!(
                (status, &error["error"]["code"]),
                (415, &(-32600).into()),
                "{kind}: {error}"
            );
        }
    }
    assert_eq!(upstream.received(), "", "nothing of this is the server's");
    let utf8 = "application/json; charset=UTF-8";
    for kind in ["Content-Type: application/json\r\n", ""] {
        let request = rpc("/mcp", &[], ADD).replacen("Content-Type: application/json\r\n", kind, 1);
        let request = request.replacen("application/json\r\n", &format!("{utf8}\r\n"), 1);
        assert_eq!(edge.plain().exchange(&request).status, 200, "{request}");
    }
    for headers in [newer, &[MODERN, MODERN], &["MCP-Protocol-Version: x"]] {
        let (status, text) = answer(&mut edge.plain(), &raw(headers, ADD.as_bytes()));
        assert_eq!(status, 200, "{headers:?}: {text}");
    }
}

#[test]
fn odd_ids_of_sessions_and_events_are_passed_on_or_refused_whole() {
    let _machine = light();
    let upstream = Upstream::ok();
    let several = format!(
        "servers = [\"{0}\", \"127.0.0.2:{1}\"]",
        upstream.address,
        upstream.address.port()
    );
    let routes = format!(
        "[[host.route]]\npath = \"/several\"\nupstream = \"several\"\nmcp = true\n\
         [[host.route]]\npath = \"/sealed\"\nupstream = \"http://{}\"\n[host.route.mcp]\n\
         session_secrets = [\"{}\"]\n",
        upstream.address,
        "s".repeat(32)
    );
    let edge = Setup::new(upstream.address)
        .route("mcp = true")
        .more_routes(&routes)
        .section("upstream.several", &several)
        .start();
    let long = "v".repeat(6000);
    let call = tool_call(1, "add");
    let get = |path: &str, line: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{line}\r\n\r\n"
        )
    };
    for name in ["Mcp-Session-Id", "Last-Event-ID"] {
        // Nothing that could be read as the end of a line, or of a text, reaches a server.
        for bad in [
            "a\rX-Evil: 1",
            "a\nX-Evil: 1",
            "a\0b",
            "a\u{1}b",
            "a\u{7f}b",
        ] {
            for request in [
                get("/mcp", &format!("{name}: {bad}")),
                rpc("/mcp", &[&format!("{name}: {bad}")], &call),
            ] {
                let mut client = edge.plain();
                client.send(&request);
                let (bytes, _) = client.read_to_end(LIMIT);
                let answer = String::from_utf8_lossy(&bytes);
                assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
            }
        }
        for odd in ["zero\u{200b}width", "t\tab", &long, "é", "e1.x"] {
            let line = format!("{name}: {odd}");
            let passed = || upstream.received().matches(odd).count();
            let before = passed();
            for request in [get("/mcp", &line), rpc("/mcp", &[&line], &call)] {
                assert_eq!(edge.plain().exchange(&request).status, 200, "{line:?}");
            }
            assert_eq!(passed(), before + 2, "{line:?} has not passed as it is");
        }
    }
    assert!(!upstream.received().contains("X-Evil"));
    // Where a server must be found by it, an id that nobody issued finds none.
    for path in ["/several", "/sealed"] {
        for odd in ["unknown", "zero\u{200b}width", &long, "e1.", "e1.AAAA"] {
            let line = format!("Mcp-Session-Id: {odd}");
            let (status, error, _) = error_of(&edge, &get(path, &line));
            assert_eq!(
                (status, &error["id"]),
                (404, &serde_json::Value::Null),
                "{path} {odd}"
            );
            let (status, error, _) = error_of(&edge, &rpc(path, &[&line], &call));
            assert_eq!((status, &error["id"]), (404, &1.into()), "{path} {odd}");
            assert_eq!(error["error"]["code"], -32001);
        }
    }
}

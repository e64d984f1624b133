//! The scan against a full parser.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn scan(body: &[u8]) -> BodyScan {
    let mut scan = BodyScan::new();
    scan.feed(body);
    scan
}

/// What is read: method, name, id, whether it is an answer.
type Facts = (Option<String>, Option<String>, Option<Value>, bool);

fn facts(scan: &BodyScan) -> Facts {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8 in, UTF-8 out");
    (
        scan.method().map(text),
        scan.name().map(text),
        scan.id()
            .map(|id| serde_json::from_slice(id).expect("an id that can be sent back")),
        scan.is_answer(),
    )
}

fn expected(message: &Value) -> Facts {
    let short = |value: &Value, most: usize| {
        value
            .as_str()
            .filter(|text| text.len() <= most)
            .map(str::to_owned)
    };
    let method = short(&message["method"], METHOD_MAX);
    let key = match method.as_deref() {
        Some("resources/read") => "uri",
        _ => "name",
    };
    let name = method
        .as_ref()
        .and_then(|_| short(&message["params"][key], NAME_MAX));
    let id = Some(message["id"].clone())
        .filter(|id| (id.is_number() || id.is_string()) && id.to_string().len() <= ID_MAX);
    let answers = message.get("result").is_some() || message.get("error").is_some();
    (method, name, id, answers && !message["method"].is_string())
}

#[test]
fn messages_as_the_sdks_write_them() {
    let python = scan(br#"{"method":"tools/call","params":{"name":"add","arguments":{"a":1}},"jsonrpc":"2.0","id":3}"#);
    assert_eq!(
        facts(&python),
        (
            Some("tools/call".into()),
            Some("add".into()),
            Some(json!(3)),
            false
        )
    );
    assert_eq!(python.scanned(), Scanned::Whole);
    let answer = scan(br#"{"jsonrpc":"2.0","id":"x","result":{"method":"no","name":"no"}}"#);
    assert_eq!(facts(&answer), (None, None, Some(json!("x")), true));
    let read = scan(br#"{"method":"resources/read","params":{"name":"no","uri":"file:///a"}}"#);
    assert_eq!(facts(&read).1, Some("file:///a".into()));
    let nested = scan(
        br#"{"method":"tools/call","params":{"arguments":{"name":"no"},"_meta":{"name":"no"}}}"#,
    );
    assert_eq!(
        facts(&nested),
        (Some("tools/call".into()), None, None, false)
    );
}

#[test]
fn it_stops_as_soon_as_it_knows_enough() {
    for (start, enough) in [
        (r#"{"#, false),
        (r#"{"method":"tools/list""#, true),
        (r#"{"method":"tools/call","#, false),
        (r#"{"method":"tools/call","params":{"arguments":{"#, false),
        (r#"{"method":"tools/call","params":{"name":"add""#, true),
        (r#"{"method":"tools/call","params":{}"#, true),
        (r#"{"method":"tools/call","params":[1]"#, true),
        (r#"{"method":"tools/call","params":null,"#, true),
        (r#"{"params":{"name":"add"},"#, false),
        (r#"{"params":{"name":"add"},"method":"tools/call""#, true),
        (r#"{"result":"#, true),
        (r#"["#, true),
        (r#"nonsense"#, true),
    ] {
        assert_eq!(scan(start.as_bytes()).has_enough(), enough, "{start}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_noticed() {
    for body in [
        r#"{"method":"tools/list","method":"tools/call"}"#,
        r#"{"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}"#,
        r#"{"method":"tools/call","params":{"name":"a","\u006eame":"b"}}"#,
        r#"{"method":"tools/call","params":{"name":"a"},"Method":"x"}"#,
        r#"{"method":"tools/call","params":{"name":"a","NAME":"b"}}"#,
        // Go's parser folds the long s as well.
        "{\"method\":\"tools/call\",\"params\":{\"name\":\"a\"},\"param\u{17f}\":{\"name\":\"b\"}}",
        r#"{"method":"tools/call","params":{"name":"a"},"PARAM\u017f":{"name":"b"}}"#,
        "{\"method\":\"tools/call\",\"re\u{17f}ult\":1}",
        r#"{"method":7}"#,
        r#"{"method":"tools/call","params":{"name":["a"]}}"#,
        r#"{"method":"tools/call","params":{"name":"\ud800"}}"#,
        r#"{"method":"tools/call","params":{"name":"\ud800x"}}"#,
        r#"{"method":"tools/call","result":1}"#,
        r#"{"id":1,"id":2,"method":"tools/call"}"#,
    ] {
        let scan = scan(body.as_bytes());
        assert!(scan.is_ambiguous(), "{body}");
        assert_ne!(scan.scanned(), Scanned::Malformed, "{body}");
    }
    // Bytes that are no UTF-8, overlong and cut short, and an end of text in the middle of it.
    for body in [
        &b"{\"method\":\"tools/call\",\"params\":{\"name\":\"sh\xffell\"}}"[..],
        b"{\"method\":\"tools/call\",\"params\":{\"name\":\"\xc1\xb3hell\"}}",
        b"{\"method\":\"tools/call\",\"params\":{\"name\":\"shell\xe2\x82\"}}",
        b"{\"method\":\"tools/call\",\"params\":{\"name\":\"shell\\u0000\"}}",
        b"{\"method\":\"tools/\xffcall\"}",
        b"{\"method\":\"ping\",\"me\xffthod\":\"tools/call\"}",
        b"{\"method\":\"ping\",\"method\xff\xff\xff\xff\xff\":\"tools/call\"}",
    ] {
        assert!(scan(body).is_ambiguous(), "{}", body.escape_ascii());
    }
    let long = format!(
        r#"{{"method":"tools/call","params":{{"name":"{}"}}}}"#,
        "n".repeat(NAME_MAX + 1)
    );
    assert!(scan(long.as_bytes()).is_ambiguous());
    for body in [
        r#"{"method":"tools/call","params":{"name":"a","arguments":{"name":1,"Name":2,"method":[]}}}"#,
        r#"{"method":"resources/read","params":{"uri":"\ud83d\ude00"},"id":null}"#,
        r#"{"method":"ping","schlüßé":"é"}"#,
    ] {
        assert!(!scan(body.as_bytes()).is_ambiguous(), "{body}");
    }
}

#[test]
fn escapes_mean_what_they_mean_to_a_parser() {
    let body = br#"{"\u006dethod":"tools\/call","params":{"\u006Eame":"\ud83d\ude00\n\u00e9\"\\"},"id":"a\u0041\""}"#;
    let value: Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(facts(&scan(body)), expected(&value));
    assert_eq!(scan(body).id(), Some(&br#""a\u0041\"""#[..]));
}

#[test]
fn no_object_is_no_message() {
    for body in [
        "",
        " ",
        "1",
        "\"a\"",
        "nul",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1}}",
        "{\"a\":tru}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u00g0\"}",
        "{a:1}",
        "\u{feff}{}",
        "{\0",
        "{\"a\":[1}",
    ] {
        assert_ne!(scan(body.as_bytes()).scanned(), Scanned::Whole, "{body:?}");
    }
    assert_eq!(scan(b" [{}]").scanned(), Scanned::Batch);
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(scan(deep.as_bytes()).scanned(), Scanned::Malformed);
    for odd in ["1e", "01", "-", "1.", "+1", "1-1"] {
        let body = format!(r#"{{"id":{odd}}}"#);
        assert_eq!(scan(body.as_bytes()).id(), None, "{odd}");
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "method", "id", "params", "name", "uri", "result", "error", "tools/call", "resources/read",
            "notifications/x", "add", "a\"b", "back\\slash", "\u{1F600}", "\u{7f}", "new\nline", "",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9f64..1e9).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..5)
                .prop_map(|members| { Value::Object(members.into_iter().collect::<Map<_, _>>()) }),
        ]
    })
}

/// Objects that look like messages, more or less.
fn message() -> impl Strategy<Value = Value> {
    let member = prop_oneof![
        (Just("method".to_owned()), text().prop_map(Value::from)),
        (Just("params".to_owned()), value()),
        (
            Just("params".to_owned()),
            (text(), text()).prop_map(|(name, uri)| json!({"name": name, "uri": uri}))
        ),
        (text(), value()),
    ];
    prop::collection::vec(member, 0..6)
        .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
}

/// Whether two keys differ only in case, or a name is no text: what only the scan calls ambiguous.
fn is_plain(message: &Value) -> bool {
    let names_are_text = [
        &message["method"],
        &message["params"]["name"],
        &message["params"]["uri"],
    ]
    .iter()
    .all(|value| value.is_string() || value.is_null());
    let no_null = |value: &Value, key: &str| value.get(key).is_none_or(|value| !value.is_null());
    names_are_text
        && no_null(message, "method")
        && no_null(&message["params"], "name")
        && no_null(&message["params"], "uri")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn valid_messages_are_read_as_a_parser_reads_them(message in message(), pretty in any::<bool>()) {
        let body = match pretty {
            true => serde_json::to_vec_pretty(&message),
            false => serde_json::to_vec(&message),
        }.expect("JSON");
        // As it is read, not as it was meant: a parser may lose the last bit of a number.
        let message: Value = serde_json::from_slice(&body).expect("JSON");
        let scan = scan(&body);
        prop_assert_eq!(scan.scanned(), Scanned::Whole);
        if is_plain(&message) {
            prop_assert_eq!(facts(&scan), expected(&message));
        } else {
            prop_assert!(scan.is_ambiguous());
        }
    }

    #[test]
    fn any_cutting_reads_the_same(message in message(), cuts in prop::collection::vec(1usize..9, 1..40)) {
        let body = serde_json::to_vec(&message).expect("JSON");
        let mut pieces = BodyScan::new();
        let mut at = 0;
        for cut in cuts.iter().cycle() {
            let end = (at + cut).min(body.len());
            pieces.feed(&body[at..end]);
            at = end;
            if at == body.len() {
                break;
            }
        }
        let whole = scan(&body);
        prop_assert_eq!(pieces.scanned(), whole.scanned());
        prop_assert_eq!(pieces.is_ambiguous(), whole.is_ambiguous());
        prop_assert_eq!(facts(&pieces), facts(&whole));
    }

    #[test]
    fn what_it_has_no_need_of_can_be_read_later(message in message()) {
        let body = serde_json::to_vec(&message).expect("JSON");
        let mut early = BodyScan::new();
        let rest = early.feed_enough(&body);
        prop_assert!(rest.is_empty() || early.has_enough());
        let whole = scan(&body);
        // It stops at the first of two, and says nothing of the second.
        if !whole.is_ambiguous() && early.has_enough() {
            prop_assert_eq!(early.method(), whole.method());
            let named = |scan: &BodyScan| scan.name().filter(|_| scan.method().is_some_and(needs_name)).map(<[u8]>::to_vec);
            prop_assert_eq!(named(&early), named(&whole));
        }
        early.feed(rest);
        prop_assert_eq!(early.is_ambiguous(), whole.is_ambiguous());
        prop_assert_eq!(facts(&early), facts(&whole));
    }

    #[test]
    fn what_a_parser_accepts_is_never_rejected(message in message(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = serde_json::to_vec(&message).expect("JSON");
        let at = at.index(body.len());
        body[at] = byte;
        let scan = scan(&body);
        if serde_json::from_slice::<Value>(&body).is_ok_and(|value| value.is_object()) {
            prop_assert_eq!(scan.scanned(), Scanned::Whole, "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn arbitrary_bytes_are_harmless(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let scan = scan(&body);
        let _ = (scan.method(), scan.name(), scan.id(), scan.has_enough());
    }
}

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const QUESTION: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"a","_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"id":2}],"ttlMs":300000,"cacheScope":"public"}}"#;

/// Id, and everything else that the question is made of.
fn question(body: &str) -> Option<(String, Vec<Vec<u8>>)> {
    let mut parts = Vec::new();
    let read = ListQuestion::read(body.as_bytes(), |part| parts.push(part.to_vec()))?;
    assert!(is_list(&body.as_bytes()[read.method]));
    Some((body[read.id].to_owned(), parts))
}

fn answer(body: &str) -> Option<(u64, Scope)> {
    let read = ListAnswer::read(body.as_bytes(), b"1")?;
    Some((read.ttl_ms, read.scope))
}

#[test]
fn questions_differ_by_what_the_answer_may_depend_on() {
    let (id, parts) = question(QUESTION).expect("it is one");
    assert_eq!(id, "1");
    for (from, to) in [
        (r#""id":1"#, r#""id":"x-\"1\"""#),
        (r#""progressToken":7"#, r#""progressToken":"abc""#),
        (r#""progressToken":7"#, r#""traceparent":"00-01""#),
    ] {
        let other = question(&QUESTION.replace(from, to)).expect(to);
        assert_eq!(other.1, parts, "{to}");
    }
    for (from, to) in [
        (r#""cursor":"a""#, r#""cursor":"b""#),
        (r#""cursor":"a","#, ""),
        ("tools/list", "prompts/list"),
        ("2026-07-28", "2027-01-01"),
        (r#""progressToken":7"#, r#""x/capabilities":{}"#),
        ("{\"cursor\"", "{\"filter\":1,\"cursor\""),
    ] {
        let other = question(&QUESTION.replace(from, to)).expect(to);
        assert_ne!(other.1, parts, "{to}");
    }
    // Members of one object are none of another.
    let inside = r#"{"id":1,"method":"tools/list","params":{"_meta":{"a":"b"}}}"#;
    let outside = r#"{"id":1,"method":"tools/list","params":{"_meta":{},"a":"b"}}"#;
    assert_ne!(question(inside), question(outside));
}

#[test]
fn what_is_never_answered_from_what_is_kept() {
    for (from, to) in [
        ("tools/list", "tools/call"),
        ("tools/list", "resources/read"),
        ("tools/list", "tools\\/list"),
        (r#""id":1,"#, ""),
        (r#""id":1"#, r#""id":null"#),
        (r#""id":1"#, r#""id":[1]"#),
        (r#""id":1"#, r#""id":1,"id":2"#),
        (r#""id":1"#, r#""id":1,"\u0069d":2"#),
        (r#""cursor":"a""#, r#""cursor":"a","cursor":"b""#),
        (r#""cursor":"a""#, r#""inputResponses":{}"#),
        (r#""cursor":"a""#, r#""requestState":"x""#),
        ("}}}", "}}"),
        ("}}}", "}}} x"),
    ] {
        let body = QUESTION.replace(from, to);
        assert_eq!(question(&body), None, "{body}");
    }
    assert_eq!(question(&format!("[{QUESTION}]")), None);
    assert_eq!(question(""), None);
}

#[test]
fn answers_say_how_long_and_for_whom() {
    assert_eq!(answer(ANSWER), Some((300_000, Scope::Public)));
    let private = ANSWER.replace("public", "private");
    assert_eq!(answer(&private), Some((300_000, Scope::Private)));
    let complete = ANSWER.replace("\"ttlMs\"", "\"resultType\":\"complete\",\"ttlMs\"");
    assert!(answer(&complete).is_some());
    for (from, to) in [
        ("300000", "0"),
        ("300000", "-1"),
        ("300000", "1e5"),
        ("300000", "\"300000\""),
        ("300000", "99999999999999999999999"),
        ("\"public\"", "\"PUBLIC\""),
        ("\"public\"", "true"),
        (",\"cacheScope\":\"public\"", ""),
        ("\"ttlMs\":300000,", ""),
        ("\"ttlMs\"", "\"ttlMs\":1,\"ttlMs\""),
        ("\"ttlMs\"", "\"resultType\":\"input_required\",\"ttlMs\""),
        ("\"id\":1,", ""),
        ("\"id\":1,", "\"id\":2,"),
        ("\"id\":1,", "\"id\":null,"),
        ("\"result\"", "\"error\":{},\"result\""),
        ("\"result\"", "\"error\""),
        ("}}", "}"),
    ] {
        let body = ANSWER.replace(from, to);
        assert_eq!(answer(&body), None, "{body}");
    }
}

#[test]
fn a_change_is_noticed_however_it_is_cut() {
    let stream = b"data: {\"method\":\"notifications/tools/list_changed\"}\n\n";
    for cut in 1..stream.len() {
        let mut watch = ChangeWatch::default();
        let found = stream.chunks(cut).filter(|piece| watch.feed(piece)).count();
        assert_eq!(found, 1, "{cut}");
    }
    let mut watch = ChangeWatch::default();
    assert!(!watch.feed(b"list_change") && !watch.feed(b"") && !watch.feed(b"s list_"));
    assert!(watch.feed(b"changed") && !watch.feed(b"d"));
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(""), Just(" "), Just("\n"), Just("\t\r\n  ")]
}

/// The same value with blanks wherever JSON allows them.
fn spread(value: &Value, blank: &str) -> String {
    let b = blank;
    match value {
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| {
                    format!("{b}{}{b}:{b}{}{b}", json!(name), spread(value, blank))
                })
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("{b}{}{b}", spread(item, blank)))
                .collect();
            format!("[{}]", items.join(","))
        }
        value => value.to_string(),
    }
}

fn id() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        any::<String>().prop_map(Value::from),
    ]
}

proptest! {
    /// Whatever the ids and the blanks: the answer is the one kept, but for the id and the time.
    #[test]
    fn only_the_id_and_the_time_change(
        asked in id(), other in id(), text in any::<String>(), blank in blank(),
        ttl in 1u64..1 << 53, left in 0u64..1 << 53, turned in any::<bool>(),
    ) {
        let result = json!({"tools": [{"name": text, "id": 9, "ttlMs": 3}], "ttlMs": ttl, "cacheScope": "public"});
        let (id, result) = (spread(&asked, blank), spread(&result, blank));
        let body = match turned {
            true => format!("{blank}{{\"result\":{blank}{result},\"id\":{id}{blank},\"jsonrpc\":\"2.0\"}}{blank}"),
            false => format!("{blank}{{\"jsonrpc\":\"2.0\",{blank}\"id\"{blank}:{id},\"result\":{result}}}"),
        };
        let read = ListAnswer::read(body.as_bytes(), asked.to_string().as_bytes()).expect("it may be kept");
        prop_assert_eq!(read.ttl_ms, ttl);
        let raw = other.to_string();
        let pieces = read.pieces(&Bytes::from(body.clone()), raw.clone().into(), left);
        let sent = pieces.concat();
        // Put back what stood there, and it is what came, byte for byte.
        let [_, one, _, two, _] = &pieces;
        prop_assert!(*one == raw.as_bytes() || *two == raw.as_bytes());
        let mut expected: Value = serde_json::from_str(&body).expect("JSON");
        expected["id"] = other;
        expected["result"]["ttlMs"] = left.into();
        prop_assert_eq!(serde_json::from_slice::<Value>(&sent).expect("JSON"), expected);
        let again = read.pieces(&Bytes::from(body.clone()), id.into(), ttl).concat();
        prop_assert_eq!(again, body.into_bytes());
    }

    /// A question is read as a parser reads it, whatever stands around the id.
    #[test]
    fn questions_are_read_as_a_parser_reads_them(asked in id(), cursor in any::<String>(), blank in blank()) {
        let value = json!({"id": asked, "jsonrpc": "2.0", "method": "prompts/list", "params": {"cursor": cursor}});
        let body = spread(&value, blank);
        let (id, _) = question(&body).expect("it is one");
        prop_assert_eq!(serde_json::from_str::<Value>(&id).expect("JSON"), asked);
    }

    /// Nothing that is sent makes it panic.
    #[test]
    fn anything_may_come(body in proptest::collection::vec(prop_oneof![
        Just(b'{'), Just(b'}'), Just(b'['), Just(b'"'), Just(b'\\'), Just(b':'), Just(b','), Just(b'i'), Just(b'd'), any::<u8>(),
    ], 0..200)) {
        let _ = ListQuestion::read(&body, |_| {});
        let _ = ListAnswer::read(&body, b"1");
        // Also without the look at the whole that comes first.
        let _ = members::members(&body, 0);
    }
}

//! `edge config schema`: the same tables as a JSON Schema (draft 2020-12), for editors.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Default, Key, Kind, SECTIONS, Schema, TOP};

/// The schema of a whole file.
pub fn json_schema() -> Value {
    let mut definitions: BTreeMap<String, Value> = SECTIONS
        .iter()
        .map(|schema| (name(schema), object(schema)))
        .collect();
    for (name, pattern, about) in [
        ("duration", "^[0-9]+(ms|s|m|h|d)$", "such as \"30s\""),
        ("size", "^[0-9]+(B|KiB|MiB|GiB)?$", "such as \"64KiB\""),
        ("rate", "^[0-9]*\\.?[0-9]+\\.?/(s|m|h)$", "such as \"50/s\""),
    ] {
        let definition = json!({ "type": "string", "pattern": pattern, "description": about });
        definitions.insert(name.to_owned(), definition);
    }
    let Value::Object(mut whole) = object(&TOP) else {
        unreachable!("an object is an object");
    };
    whole.insert(
        "$schema".into(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    whole.insert("title".into(), json!("The configuration of edge"));
    whole.insert("$defs".into(), json!(definitions));
    Value::Object(whole)
}

/// What a section's definition is called.
fn name(schema: &Schema) -> String {
    schema.title.trim_matches(['[', ']']).to_owned()
}

fn object(schema: &Schema) -> Value {
    let properties: Map<String, Value> = schema
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let needed: Vec<&str> = schema
        .keys
        .iter()
        .filter(|key| key.default == Default::Needed)
        .map(|key| key.name)
        .collect();
    let mut object = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !needed.is_empty() {
        object["required"] = json!(needed);
    }
    object
}

fn property(key: &Key) -> Value {
    let mut value = kind(key.kind);
    let mut about = key.about.to_owned();
    match key.default {
        Default::Is(text) if key.table().is_none() => {
            value["default"] = default(&key.kind.as_toml(text));
        }
        Default::Depends(on) => about = format!("{about}; default: {on}"),
        Default::Is(_) | Default::Nothing | Default::Needed => {}
    }
    if let Some(other) = key.with {
        about = format!("{about}; with `{other}`");
    }
    value["description"] = json!(about);
    value
}

/// A default as JSON.
fn default(toml: &str) -> Value {
    let table: toml::Table = format!("it = {toml}")
        .parse()
        .expect("defaults are TOML, a test reads each");
    json!(table["it"])
}

fn kind(kind: Kind) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    match kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Integer(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Duration => reference("duration"),
        Kind::Size => {
            json!({ "anyOf": [reference("size"), { "type": "integer", "minimum": 0 }] })
        }
        Kind::Rate => reference("rate"),
        Kind::Text => json!({ "type": "string" }),
        Kind::Words(words) => json!({ "enum": words }),
        Kind::WordsOf(words) => json!({ "enum": words() }),
        Kind::Secrets | Kind::FieldRules => {
            json!({ "type": "array", "items": { "type": "string" } })
        }
        Kind::List(of) => json!({ "type": "array", "items": self::kind(*of) }),
        Kind::Any(kinds) => {
            let each: Vec<Value> = kinds.iter().map(|one| self::kind(*one)).collect();
            json!({ "anyOf": each })
        }
        Kind::Table(schema) => reference(&name(schema)),
        Kind::Tables(schema) => {
            json!({ "type": "array", "minItems": 1, "items": reference(&name(schema)) })
        }
        Kind::Named(schema) => {
            json!({ "type": "object", "additionalProperties": reference(&name(schema)) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere_and_every_default_is_one() {
        let schema = json_schema();
        let text = schema.to_string();
        for part in text.split("\"#/$defs/").skip(1) {
            let name = part.split('"').next().expect("it ends");
            assert!(schema["$defs"].get(name).is_some(), "{name}");
        }
        assert_eq!(schema["properties"]["user"]["default"], "nobody");
        let quic = &schema["$defs"]["quic"]["properties"];
        assert_eq!(quic["retry_above"]["default"], 100);
        assert_eq!(schema["$defs"]["host"]["required"], json!(["names"]));
    }

    #[test]
    fn every_key_says_what_it_is_for() {
        for schema in std::iter::once(&TOP).chain(SECTIONS) {
            for key in schema.keys {
                assert!(!key.about.is_empty(), "{} {}", schema.title, key.name);
                let with = key.with.map(|other| schema.key(other).is_some());
                assert_ne!(with, Some(false), "{} {}", schema.title, key.name);
            }
        }
    }
}

//! Lines of `edge`'s log for people. It writes JSON where its standard error is no terminal, which
//! is the case here because this program stands between.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// `level message key=value ...` for a JSON line; any other line as it is.
pub(super) fn readable(line: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else {
        return line.to_owned();
    };
    let Some(message) = take(&mut fields, "message") else {
        return line.to_owned();
    };
    let level = take(&mut fields, "level").unwrap_or_default();
    fields.remove("timestamp");
    fields.remove("target");
    // What is usual needs no word.
    let mut text = if level == "INFO" {
        message
    } else {
        format!("{level} {message}")
    };
    for (key, value) in &fields {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        write!(text, " {key}={value}").expect("a string takes everything");
    }
    text
}

fn take(fields: &mut Map<String, Value>, key: &str) -> Option<String> {
    fields.remove(key)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn json_becomes_a_sentence_and_the_rest_stays() {
        let info = r#"{"timestamp":"t","level":"INFO","message":"ready","workers":2,"target":"x"}"#;
        assert_eq!(readable(info), "ready workers=2");
        let warning = r#"{"level":"WARN","message":"shield is off","error":"no BPF"}"#;
        assert_eq!(readable(warning), "WARN shield is off error=no BPF");
        assert_eq!(readable("thread 'x' panicked"), "thread 'x' panicked");
        assert_eq!(readable(r#"{"no":"message"}"#), r#"{"no":"message"}"#);
    }
}

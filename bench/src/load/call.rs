//! The call that is sent again and again: JSON-RPC of 200 bytes.

use crate::origin::{NONCE_AT, NONCE_BYTES};

/// Body of a call.
pub(crate) const CALL_BYTES: usize = 200;

/// Fields of a call beside those that every request has.
pub(crate) const FIELDS: [(&str, &str); 3] = [
    ("accept", "application/json, text/event-stream"),
    ("content-type", "application/json"),
    ("mcp-protocol-version", "2025-06-18"),
];

/// The id of the call number `serial`, in hexadecimal: what is text is what proxies see.
pub(super) fn nonce(serial: u64) -> [u8; NONCE_BYTES] {
    std::array::from_fn(|i| b"0123456789abcdef"[(serial >> (60 - 4 * i)) as usize & 15])
}

/// The body with this id.
pub(crate) fn body(nonce: &[u8; NONCE_BYTES]) -> [u8; CALL_BYTES] {
    let start = format!(
        r#"{{"jsonrpc":"2.0","id":"{}","method":"tools/call","params":{{"name":"echo","arguments":{{"text":""#,
        "0".repeat(NONCE_BYTES)
    );
    let end = br#""}}}"#;
    let mut body = [b'q'; CALL_BYTES];
    body[..start.len()].copy_from_slice(start.as_bytes());
    body[CALL_BYTES - end.len()..].copy_from_slice(end);
    body[NONCE_AT..NONCE_AT + NONCE_BYTES].copy_from_slice(nonce);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_json_rpc_with_its_own_id() {
        let nonce = nonce(0x1f);
        assert_eq!(&nonce, b"000000000000001f");
        let call: serde_json::Value = serde_json::from_slice(&body(&nonce)).expect("JSON");
        assert_eq!(call["id"], "000000000000001f");
        assert_eq!(call["params"]["name"], "echo");
    }
}

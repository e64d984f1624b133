//! JSON-RPC over HTTP/1.1, as raw requests: what an SDK would never send can be sent.

use super::client::Client;
use super::response::Response;

/// A POST of a JSON-RPC body, with more header lines.
pub(crate) fn rpc(path: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:80\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The body of a call of a tool.
pub(crate) fn tool_call(id: u64, tool: &str) -> String {
    format!(
        r#"{{"method":"tools/call","params":{{"name":"{tool}","arguments":{{}}}},"jsonrpc":"2.0","id":{id}}}"#
    )
}

/// The headers of a modern call of a tool.
pub(crate) fn modern(tool: &str) -> [String; 3] {
    [
        "MCP-Protocol-Version: 2026-07-28".to_owned(),
        "Mcp-Method: tools/call".to_owned(),
        format!("Mcp-Name: {tool}"),
    ]
}

/// Starts a session of the legacy era: its id.
pub(crate) fn initialize(client: &mut Client) -> Result<String, Response> {
    let body = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"e2e","version":"1"}}}"#;
    let response = client.exchange(rpc("/mcp", &[], body));
    match response.header("mcp-session-id").map(str::to_owned) {
        Some(id) if response.status == 200 => {
            let session = format!("Mcp-Session-Id: {id}");
            let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
            let answer = client.exchange(rpc("/mcp", &[&session], ready));
            assert_eq!(answer.status, 202, "{}", answer.text());
            Ok(id)
        }
        _ => Err(response),
    }
}

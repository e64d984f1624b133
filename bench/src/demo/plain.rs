//! `/`, `/echo`, `/headers` and `/slow`: requests answered from what they carry.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Query, Request};
use axum::http::header::{CONTENT_TYPE, TRAILER};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::listen::Peer;

/// Longest delay of a head.
const SLOW_MAX: Duration = Duration::from_secs(600);

/// One line, so that a browser or a bare curl sees that something answers.
pub(super) async fn index() -> &'static str {
    "edge-demo: MCP at /mcp; plain endpoints /sse /echo /headers /bytes /drip /slow /die /stats\n"
}

/// Streams the request body back as it arrives, with its type and its trailers.
pub(super) async fn echo(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut response = Response::new(body);
    for name in [CONTENT_TYPE, TRAILER] {
        if let Some(value) = head.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// What arrived, as this server parsed it.
#[derive(Serialize)]
pub(super) struct Seen {
    method: String,
    target: String,
    version: String,
    /// Address and port of the other end, or `unix`.
    peer: String,
    /// Names in lower case; values in the order they came, bytes outside UTF-8 replaced.
    headers: BTreeMap<String, Vec<String>>,
}

/// Reports the request head.
pub(super) async fn headers(Extension(peer): Extension<Peer>, request: Request) -> Json<Seen> {
    let mut headers = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in request.headers() {
        headers
            .entry(name.as_str().to_owned())
            .or_default()
            .push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    Json(Seen {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        version: format!("{:?}", request.version()),
        peer: peer.0,
        headers,
    })
}

/// `?ms=`
#[derive(Deserialize)]
pub(super) struct Slow {
    #[serde(default)]
    ms: u64,
}

/// Answers after `ms` milliseconds.
pub(super) async fn slow(Query(slow): Query<Slow>) -> Response {
    tokio::time::sleep(Duration::from_millis(slow.ms).min(SLOW_MAX)).await;
    Response::new(Body::from("slow\n"))
}

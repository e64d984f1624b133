//! `/sse`: an event stream that ticks and says when each event left.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Query;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use tokio::time::Instant;

use super::stats::now_us;

/// `?interval_ms=1000&n=&silent_s=&pad=`
#[derive(Clone, Deserialize)]
pub(super) struct Ticker {
    #[serde(default = "second")]
    interval_ms: u64,
    /// Events until the stream ends; endless if absent.
    n: Option<u64>,
    /// Silence between the first event and the second.
    silent_s: Option<u64>,
    /// Letters added to every event, to make it as large as wanted.
    #[serde(default)]
    pad: usize,
}

fn second() -> u64 {
    1000
}

/// Largest padding.
const PAD_MAX: usize = 16 << 20;

/// The first event at once, then one every interval. Data is `{"seq":0,"sent_us":1700000000000000}`,
/// microseconds since the Unix epoch.
pub(super) async fn ticker(Query(ticker): Query<Ticker>) -> Response {
    let start = Instant::now();
    let events = stream::unfold(0, move |seq| {
        let ticker = ticker.clone();
        async move {
            if ticker.n == Some(seq) {
                return None;
            }
            // Against a fixed schedule, so that one late event does not delay all that follow.
            let silence = if seq == 0 {
                0
            } else {
                ticker.silent_s.unwrap_or(0)
            };
            let due = Duration::from_secs(silence).saturating_add(Duration::from_millis(
                ticker.interval_ms.saturating_mul(seq),
            ));
            if let Some(due) = start.checked_add(due) {
                tokio::time::sleep_until(due).await;
            }
            Some((
                Ok::<_, std::io::Error>(event(seq, ticker.pad.min(PAD_MAX))),
                seq + 1,
            ))
        }
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn event(seq: u64, pad: usize) -> Bytes {
    let sent_us = now_us();
    let text = match pad {
        0 => format!("id: {seq}\ndata: {{\"seq\":{seq},\"sent_us\":{sent_us}}}\n\n"),
        _ => {
            let pad = "x".repeat(pad);
            format!(
                "id: {seq}\ndata: {{\"seq\":{seq},\"sent_us\":{sent_us},\"pad\":\"{pad}\"}}\n\n"
            )
        }
    };
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_json_of_sequence_and_time() {
        for pad in [0, 5] {
            let text = String::from_utf8(event(7, pad).to_vec()).expect("UTF-8");
            let data = text
                .strip_prefix("id: 7\ndata: ")
                .and_then(|rest| rest.strip_suffix("\n\n"))
                .expect("one event");
            let json: serde_json::Value = serde_json::from_str(data).expect("JSON");
            assert_eq!(json["seq"], 7);
            assert!(json["sent_us"].as_u64().expect("a number") > 1_700_000_000_000_000);
            assert_eq!(json["pad"].as_str().map_or(0, str::len), pad);
        }
    }
}

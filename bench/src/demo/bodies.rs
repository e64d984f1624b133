//! `/bytes` and `/drip`: response bodies of a known content, fast or slow, with or without a length.
//!
//! Byte `i` of every body is `a` + `i` mod 26, so that a client can check any part of it.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Query;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;

/// Longest body.
const BYTES_MAX: u64 = 4 << 30;
/// Longest pause between two bytes of `/drip`.
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// Size of the pieces `/bytes` is made of: a multiple of the pattern's length near 64 KiB.
const PIECE: usize = 26 * 2520;

/// `?n=&chunked=`
#[derive(Deserialize)]
pub(super) struct BytesQuery {
    n: u64,
    /// Anything but absent or `0`: no `Content-Length`.
    chunked: Option<u8>,
}

/// `n` bytes at once.
pub(super) async fn bytes(Query(query): Query<BytesQuery>) -> Response {
    if query.n > BYTES_MAX {
        return (StatusCode::BAD_REQUEST, "n is too large\n").into_response();
    }
    let piece = pattern(PIECE);
    let pieces = stream::unfold(query.n, move |left| {
        let piece = piece.clone();
        async move {
            if left == 0 {
                return None;
            }
            let taken = left.min(PIECE as u64);
            Some((
                Ok::<_, std::io::Error>(piece.slice(..taken as usize)),
                left - taken,
            ))
        }
    });
    let length = (query.chunked.unwrap_or(0) == 0).then_some(query.n);
    answer(Body::from_stream(pieces), length)
}

/// `?n=&ms=&chunked=`
#[derive(Deserialize)]
pub(super) struct DripQuery {
    n: u64,
    /// Pause before every byte.
    #[serde(default)]
    ms: u64,
    chunked: Option<u8>,
}

/// `n` bytes, one at a time.
pub(super) async fn drip(Query(query): Query<DripQuery>) -> Response {
    if query.n > BYTES_MAX {
        return (StatusCode::BAD_REQUEST, "n is too large\n").into_response();
    }
    let pause = Duration::from_millis(query.ms).min(PAUSE_MAX);
    let alphabet = pattern(26);
    let drops = stream::unfold(0, move |at| {
        let alphabet = alphabet.clone();
        async move {
            if at == query.n {
                return None;
            }
            tokio::time::sleep(pause).await;
            let letter = (at % 26) as usize;
            Some((
                Ok::<_, std::io::Error>(alphabet.slice(letter..=letter)),
                at + 1,
            ))
        }
    });
    let length = (query.chunked.unwrap_or(0) == 0).then_some(query.n);
    answer(Body::from_stream(drops), length)
}

/// The first `n` bytes of every body.
pub(super) fn pattern(n: usize) -> Bytes {
    (0..n).map(|i| b'a' + (i % 26) as u8).collect()
}

fn answer(body: Body, length: Option<u64>) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_continue_the_pattern() {
        let twice = [pattern(PIECE), pattern(PIECE)].concat();
        assert_eq!(twice, pattern(2 * PIECE));
    }
}

//! `/die`: an upstream that closes the connection, before, at or amid its answer.

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Query;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;

use super::bodies::pattern;

/// Length the head promises and no answer reaches.
const PROMISED: u64 = 1000;
/// What of it is sent when the connection closes amid the body.
const SENT: usize = 500;
/// Leaves hyper the time to write what comes before the close.
const FLUSH: Duration = Duration::from_millis(20);

/// The connection is to be closed without an answer. As an extension of a response it reaches the
/// accept loop, as an error it makes hyper close.
#[derive(Clone, Debug)]
pub(super) struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed on request")
    }
}

impl std::error::Error for HangUp {}

/// `?when=&chunked=`
#[derive(Deserialize)]
pub(super) struct Die {
    when: When,
    /// Anything but absent or `0`: the answer is chunked, without a length.
    chunked: Option<u8>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum When {
    /// Without an answer.
    Before,
    /// After the response head.
    Head,
    /// Halfway through the body.
    Body,
}

/// Closes the connection.
pub(super) async fn die(Query(die): Query<Die>) -> Response {
    if die.when == When::Before {
        let mut response = ().into_response();
        response.extensions_mut().insert(HangUp);
        return response;
    }
    let sent = match die.when {
        When::Body => Some(Ok(pattern(SENT))),
        When::Before | When::Head => None,
    };
    let close = stream::once(async {
        tokio::time::sleep(FLUSH).await;
        Err(HangUp)
    });
    let mut response = Response::new(Body::from_stream(stream::iter(sent).chain(close)));
    if die.chunked.unwrap_or(0) == 0 {
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, PROMISED.into());
    }
    response
}

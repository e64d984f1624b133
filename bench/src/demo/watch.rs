//! Following one exchange to its end: finished, or given up by the peer.
//!
//! hyper drops the handler's future or the response body as soon as it reads the end of the
//! connection, so a drop before the end of the answer is the peer's doing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Method, Request, Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::stats::Stats;

/// An exchange in progress; dropping it unfinished counts it as aborted.
pub(super) struct Exchange {
    /// `None` for exchanges that are not counted.
    stats: Option<Arc<Stats>>,
    path: String,
    head_only: bool,
    sent_bytes: u64,
    finished: bool,
}

impl Exchange {
    /// Counts a request, unless it asks for the counts.
    pub(super) fn begin<B>(request: &Request<B>, stats: Arc<Stats>) -> Self {
        let path = request.uri().path().to_owned();
        let stats = (path != "/stats").then_some(stats);
        if let Some(stats) = &stats {
            stats.begun(&path);
        }
        Self {
            stats,
            path,
            head_only: request.method() == Method::HEAD,
            sent_bytes: 0,
            finished: false,
        }
    }

    /// Nothing more is to come.
    pub(super) fn finished(mut self) {
        self.finish();
    }

    /// Follows the body of the answer.
    pub(super) fn watch(mut self, response: Response<Body>) -> Response<Watched> {
        let length = response
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        if self.head_only || length == Some(0) || response.body().is_end_stream() {
            self.finish();
        }
        response.map(|inner| Watched {
            inner,
            length,
            exchange: self,
        })
    }

    fn finish(&mut self) {
        if !std::mem::replace(&mut self.finished, true)
            && let Some(stats) = &self.stats
        {
            stats.finished();
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.finished
            && let Some(stats) = &self.stats
        {
            stats.aborted(&self.path, self.sent_bytes);
        }
    }
}

/// A response body that knows whether all of it was taken.
pub(super) struct Watched {
    inner: Body,
    /// hyper stops asking once it has as much as the head promised.
    length: Option<u64>,
    exchange: Exchange,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            // The demo's own failure (/die) is an end, not a disconnect.
            Some(Err(error)) => {
                this.exchange.finish();
                return Poll::Ready(Some(Err(error.into_inner())));
            }
            None => {
                this.exchange.finish();
                return Poll::Ready(None);
            }
        };
        this.exchange.sent_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        let complete = this
            .length
            .is_some_and(|length| this.exchange.sent_bytes >= length);
        if complete || this.inner.is_end_stream() {
            this.exchange.finish();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

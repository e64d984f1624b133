//! The endpoints by path.

use std::sync::Arc;

use axum::routing::{any, get, post};
use axum::{Json, Router};

use super::stats::Stats;
use super::{bodies, die, plain, sse, tools};

/// Every endpoint of the demo.
pub(super) fn router(stats: Arc<Stats>) -> Router {
    Router::new()
        .route("/", get(plain::index))
        .route("/sse", get(sse::ticker))
        .route("/echo", post(plain::echo))
        .route("/headers", any(plain::headers))
        .route("/bytes", get(bodies::bytes))
        .route("/drip", get(bodies::drip))
        .route("/slow", any(plain::slow))
        .route("/die", any(die::die))
        .route("/stats", get(move || async move { Json(stats.counts()) }))
        .route_service("/mcp", tools::service())
}

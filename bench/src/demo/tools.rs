//! The MCP server: four tools over Streamable HTTP, in both eras of the protocol.
//!
//! The SDK chooses per request: clients that start with `initialize` get a session (revisions
//! before 2026-07-28), requests that carry 2026-07-28 in their `_meta` stand alone.

use std::sync::Arc;
use std::time::Duration;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    Implementation, ProgressNotificationParam, RequestMetaObject, ServerCapabilities, ServerConfig,
};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, Peer, RoleServer, ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;

use super::stats::now_us;

/// Largest `blob`.
const BLOB_MAX: usize = 64 << 20;
/// Most steps of `count`.
const STEPS_MAX: u32 = 86_400;

/// The service to mount at `/mcp`.
///
/// Any `Host` is accepted: a proxy passes on the client's. The SDK's own keep-alive comments are
/// off, so that what a proxy does with a silent stream shows.
pub(super) fn service() -> StreamableHttpService<Tools, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_sse_keep_alive(None);
    StreamableHttpService::new(
        || Ok(Tools),
        Arc::new(LocalSessionManager::default()),
        config,
    )
}

/// The tools; they keep no state.
#[derive(Clone, Copy)]
pub(super) struct Tools;

#[derive(Deserialize, schemars::JsonSchema)]
struct Add {
    /// First summand
    a: f64,
    /// Second summand
    b: f64,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Echo {
    /// What to say
    text: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Count {
    /// How many steps; each takes one interval
    n: u32,
    /// Milliseconds a step takes; a second if absent
    interval_ms: Option<u64>,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Blob {
    /// How many bytes
    n: usize,
}

#[tool_router]
impl Tools {
    /// Adds two numbers
    #[tool]
    fn add(&self, Parameters(Add { a, b }): Parameters<Add>) -> String {
        (a + b).to_string()
    }

    /// Says what it is told
    #[tool]
    fn echo(&self, Parameters(Echo { text }): Parameters<Echo>) -> String {
        text
    }

    /// Counts, reporting progress at every step with the time it was sent at in microseconds
    #[tool]
    async fn count(
        &self,
        Parameters(Count { n, interval_ms }): Parameters<Count>,
        meta: RequestMetaObject,
        client: Peer<RoleServer>,
    ) -> Result<String, ErrorData> {
        if n > STEPS_MAX {
            return Err(ErrorData::invalid_params("n is too large", None));
        }
        let interval = Duration::from_millis(interval_ms.unwrap_or(1000));
        let token = meta.get_progress_token();
        for step in 1..=n {
            tokio::time::sleep(interval).await;
            if let Some(token) = &token {
                let progress = ProgressNotificationParam::new(token.clone(), f64::from(step))
                    .with_total(f64::from(n))
                    .with_message(format!("{{\"seq\":{step},\"sent_us\":{}}}", now_us()));
                client.notify_progress(progress).await.map_err(|error| {
                    ErrorData::internal_error(format!("progress not sent: {error}"), None)
                })?;
            }
        }
        Ok(format!("counted to {n}"))
    }

    /// Returns n bytes of text
    #[tool]
    fn blob(&self, Parameters(Blob { n }): Parameters<Blob>) -> Result<String, ErrorData> {
        if n > BLOB_MAX {
            return Err(ErrorData::invalid_params("n is too large", None));
        }
        Ok("x".repeat(n))
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("edge-demo", env!("CARGO_PKG_VERSION")))
            .with_instructions("add, echo, count and blob, for trying out a proxy")
    }
}

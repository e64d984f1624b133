//! Fetching keys: one thread for each authorization server, away from workers and control thread.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use serde::Deserialize;

use super::issuer::Issuer;
use super::keys::KeySet;
use crate::outbound::{Outbound, OutboundError};

/// Keys change rarely, and a token with a new one asks for them at once.
const REFRESH_EVERY: Duration = Duration::from_secs(15 * 60);
const RETRY_AFTER: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Documents of an authorization server are a few kilobytes.
const BYTES_MAX: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0} is no URL that keys can be fetched from")]
    Url(String),
    #[error("{url}: {source}")]
    Outbound { url: String, source: OutboundError },
    #[error("{url} answered {status}")]
    Status { url: String, status: StatusCode },
    #[error("{0} holds no key that can be used")]
    Keys(String),
    #[error("no metadata of {0} names its keys")]
    Metadata(String),
}

/// What authorization servers say about themselves (RFC 8414 §2).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Keeps the keys of a server fresh until nobody else holds it.
pub(super) fn keep(issuer: &Arc<Issuer>) {
    let held = Arc::downgrade(issuer);
    let url = issuer.url.clone();
    let started = std::thread::Builder::new()
        .name("issuer-keys".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(refresh(&held)),
                Err(error) => tracing::error!(%error, "cannot fetch keys"),
            }
        });
    if let Err(error) = started {
        tracing::error!(issuer = url, %error, "cannot fetch keys, its tokens will be refused");
    }
}

async fn refresh(held: &Weak<Issuer>) {
    while let Some(issuer) = held.upgrade() {
        let wait = match fetch(&issuer.url, issuer.jwks.as_deref()).await {
            Ok(keys) => {
                tracing::info!(issuer = issuer.url, ?keys, "keys fetched");
                issuer.fetched(Some(keys));
                REFRESH_EVERY
            }
            Err(error) => {
                tracing::warn!(issuer = issuer.url, %error, "keys could not be fetched");
                issuer.fetched(None);
                RETRY_AFTER
            }
        };
        let asked = tokio::time::timeout(wait, issuer.wake.notified());
        // Then let go of, so that without a configuration that names it the thread ends.
        let _ = asked.await;
    }
}

async fn fetch(issuer: &str, jwks: Option<&str>) -> Result<KeySet, FetchError> {
    let url = match jwks {
        Some(url) => url.to_owned(),
        None => discover(issuer).await?,
    };
    let document = get(&url).await?;
    KeySet::parse(&document).map_err(|_| FetchError::Keys(url))
}

/// RFC 8414 §3.1 first, then OpenID Connect Discovery 1.0 §4.
async fn discover(issuer: &str) -> Result<String, FetchError> {
    for url in metadata_urls(issuer) {
        let Ok(document) = get(&url).await else {
            continue;
        };
        match serde_json::from_slice::<Metadata>(&document) {
            // RFC 8414 §3.3: it must be the one that was asked for.
            Ok(metadata) if metadata.issuer == issuer => return Ok(metadata.jwks_uri),
            _ => {}
        }
    }
    Err(FetchError::Metadata(issuer.to_owned()))
}

fn metadata_urls(issuer: &str) -> [String; 2] {
    let bare = issuer.trim_end_matches('/');
    let host_end = bare
        .find("://")
        .and_then(|scheme| bare[scheme + 3..].find('/').map(|slash| scheme + 3 + slash));
    let (host, path) = bare.split_at(host_end.unwrap_or(bare.len()));
    [
        format!("{host}/.well-known/oauth-authorization-server{path}"),
        format!("{bare}/.well-known/openid-configuration"),
    ]
}

async fn get(url: &str) -> Result<Bytes, FetchError> {
    let bad = || FetchError::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| bad())?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => {}
        // Keys that anybody on the way can change are none; on this machine nobody is on the way.
        (Some("http"), Some(host)) if is_loopback(host) => {}
        _ => return Err(bad()),
    }
    let request = Request::get(uri)
        .header(header::ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|_| bad())?;
    let outbound = Outbound::default();
    match outbound.exchange(request, TIMEOUT, BYTES_MAX).await {
        Ok((StatusCode::OK, body)) => Ok(body),
        Ok((status, _)) => Err(FetchError::Status {
            url: url.to_owned(),
            status,
        }),
        Err(source) => Err(FetchError::Outbound {
            url: url.to_owned(),
            source,
        }),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_where_the_standards_put_it() {
        for (issuer, oauth, openid) in [
            (
                "https://as.example",
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration",
            ),
            (
                "https://as.example/t/1",
                "https://as.example/.well-known/oauth-authorization-server/t/1",
                "https://as.example/t/1/.well-known/openid-configuration",
            ),
            (
                "https://as.example/t/",
                "https://as.example/.well-known/oauth-authorization-server/t",
                "https://as.example/t/.well-known/openid-configuration",
            ),
        ] {
            assert_eq!(metadata_urls(issuer), [oauth, openid]);
        }
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        for url in [
            "http://as.example/jwks",
            "ftp://localhost/x",
            "localhost/x",
            "/x",
            "",
        ] {
            let error = runtime.block_on(get(url)).expect_err(url);
            assert!(matches!(error, FetchError::Url(_)), "{url}: {error}");
        }
        assert!(is_loopback("::1") && is_loopback("127.8.0.1") && !is_loopback("10.0.0.1"));
    }
}

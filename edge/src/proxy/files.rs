//! Routes that serve the files of a directory.
//!
//! A file is looked for under the path that the route was picked by, percent-decoded once, so that
//! the guards of a route and the file system read a path alike. The kernel keeps it below the
//! directory ([`OpenFile::beneath`]).

mod lookup;
mod serve;

use http::{Method, StatusCode};

use self::lookup::Lookup;
use super::account::Record;
use super::configured::Proxy;
use super::exchange::Downstream;
use super::reply::Reply;
use crate::config::{FilesAction, PathMatch};
use crate::message::RequestHead;

/// RFC 9110 §10.2.1.
const ALLOW: &str = "GET, HEAD, OPTIONS";

impl Proxy {
    /// Answers a request with a file.
    pub(super) async fn files<D: Downstream>(
        &self,
        action: &FilesAction,
        path: &PathMatch,
        head: &RequestHead,
        client: &mut D,
        record: &mut Record<'_>,
    ) {
        let reply = match head.method {
            Method::GET | Method::HEAD => {
                let found = lookup::find(action, path, head).await;
                return self.found(action, found, head, client, record).await;
            }
            Method::OPTIONS => Reply::new(StatusCode::NO_CONTENT).with("allow", ALLOW),
            _ => Reply::new(StatusCode::METHOD_NOT_ALLOWED).with("allow", ALLOW),
        };
        self.reply(reply, client, &head.method, record).await;
    }

    /// Answers a request with a file if there is one; `false` leaves it to the upstream.
    pub(super) async fn file_first<D: Downstream>(
        &self,
        action: &FilesAction,
        path: &PathMatch,
        head: &RequestHead,
        client: &mut D,
        record: &mut Record<'_>,
    ) -> bool {
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return false;
        }
        match lookup::find(action, path, head).await {
            Lookup::Nothing(StatusCode::NOT_FOUND) | Lookup::Unlisted => false,
            found => {
                self.found(action, found, head, client, record).await;
                true
            }
        }
    }

    async fn found<D: Downstream>(
        &self,
        action: &FilesAction,
        found: Lookup,
        head: &RequestHead,
        client: &mut D,
        record: &mut Record<'_>,
    ) {
        let reply = match found {
            Lookup::File(found) => match serve::response(action, *found, head).await {
                Ok((response, content)) => {
                    let is_head = head.method == Method::HEAD;
                    return self
                        .deliver(response, content, client, is_head, record)
                        .await;
                }
                Err(reply) => reply,
            },
            Lookup::Directory => {
                let location = with_slash(head);
                Reply::new(StatusCode::MOVED_PERMANENTLY).with("location", &location)
            }
            Lookup::Unlisted => Reply::new(StatusCode::FORBIDDEN),
            Lookup::Nothing(status) => Reply::new(status),
        };
        self.reply(reply, client, &head.method, record).await;
    }
}

/// The target of a directory, so that relative links in its index are right. `//host` would be
/// another server to a browser.
fn with_slash(head: &RequestHead) -> String {
    let path = head.target.path().trim_start_matches('/');
    match head.target.query() {
        Some(query) => format!("/{path}/?{query}"),
        None => format!("/{path}/"),
    }
}

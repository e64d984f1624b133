//! Whether a route takes a request: its path first, then its method, then its fields.

use http::Method;

use super::preflight::is_preflight;
use crate::config::{FieldMatch, FieldWant, PathMatch, RouteMatch};
use crate::mcp::decode;
use crate::message::{Fields, RequestHead};

/// What became of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken<'a> {
    /// The route takes the request.
    Yes,
    /// The path is another.
    OtherPath,
    /// The method is none of the route's.
    OtherMethod,
    /// This field is not as the route wants it.
    OtherField(&'a FieldMatch),
    /// It is a preflight for a request that the route may take.
    Announced,
}

impl RouteMatch {
    /// Asks whether the route takes a request.
    pub(super) fn takes(&self, head: &RequestHead) -> Taken<'_> {
        let path = head.target.routing_path();
        let path_fits = match &self.path {
            PathMatch::Prefix(prefix) => covers(prefix, path),
            PathMatch::Exact(exact) => exact == path,
            PathMatch::Regex(regex) => regex.is_match(path.as_bytes()),
        };
        if !path_fits {
            return Taken::OtherPath;
        }
        // Fields come before the method, so that a wrong method is said of the right route.
        let other = self
            .fields
            .iter()
            .find(|wanted| !fits(wanted, &head.fields));
        match other {
            None if self.takes_method(&head.method) => Taken::Yes,
            _ if is_preflight(head) && self.takes_announced(&head.fields) => Taken::Announced,
            Some(other) => Taken::OtherField(other),
            None => Taken::OtherMethod,
        }
    }

    /// Whether the route may take the request that a preflight asks about: its method is said, and of
    /// fields that pages add their names (<https://fetch.spec.whatwg.org/#cors-preflight-fetch>).
    fn takes_announced(&self, fields: &Fields) -> bool {
        let announced = fields.values_of("access-control-request-method").next();
        let method = announced.and_then(|method| Method::from_bytes(method).ok());
        let fits = |wanted: &FieldMatch| match wanted.want {
            FieldWant::Present | FieldWant::Value(_) => {
                fits(wanted, fields) || names(fields, &wanted.name)
            }
            FieldWant::Absent => fits(wanted, fields) && !names(fields, &wanted.name),
        };
        method.is_some_and(|method| self.takes_method(&method)) && self.fields.iter().all(fits)
    }

    /// Whether the route says by itself what becomes of preflights.
    pub(super) fn answers_preflights(&self) -> bool {
        self.methods.contains(&Method::OPTIONS)
    }

    /// HEAD goes where GET goes (RFC 9110 §9.3.2).
    fn takes_method(&self, method: &Method) -> bool {
        let asked = match *method {
            Method::HEAD => &Method::GET,
            _ => method,
        };
        self.methods.is_empty() || self.methods.contains(asked) || self.methods.contains(method)
    }

    /// Routes are tried in this order: exact paths, expressions as they stand in the file, then
    /// prefixes from the longest; of the same path, those that want most.
    pub(super) fn rank(&self) -> impl Ord {
        use std::cmp::Reverse;
        let wants = Reverse(self.fields.len() + usize::from(!self.methods.is_empty()));
        match &self.path {
            PathMatch::Exact(_) => (0, Reverse(0), wants),
            PathMatch::Regex(_) => (1, Reverse(0), Reverse(0)),
            PathMatch::Prefix(path) => (2, Reverse(path.len()), wants),
        }
    }
}

/// Whole segments: `/mcp` covers `/mcp` and `/mcp/x`, not `/mcpx`.
fn covers(route: &str, path: &str) -> bool {
    let stem = route.strip_suffix('/').unwrap_or(route);
    match path.strip_prefix(stem) {
        Some(rest) => match rest.as_bytes().first() {
            None => stem.len() == route.len(),
            Some(b'/') => true,
            Some(_) => false,
        },
        // `*` addresses the server as a whole.
        None => path == "*" && route == "/",
    }
}

/// Whether a preflight says that the request will have such a field.
fn names(fields: &Fields, name: &str) -> bool {
    fields
        .values_of("access-control-request-headers")
        .flat_map(|list| list.split(|&b| b == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
}

fn fits(wanted: &FieldMatch, fields: &Fields) -> bool {
    let mut values = fields.values_of(&wanted.name);
    match &wanted.want {
        FieldWant::Present => values.next().is_some(),
        FieldWant::Absent => values.next().is_none(),
        FieldWant::Value(value) => values.any(|found| {
            found == value.as_bytes()
                || is_mirrored(&wanted.name)
                    && decode(found).is_ok_and(|found| found.get() == Some(value.as_bytes()))
        }),
    }
}

/// Fields in which MCP clients mirror the body, some values of which need another form
/// (<https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#value-encoding>).
fn is_mirrored(name: &str) -> bool {
    let prefix = name.get(..4);
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case("mcp-"))
}

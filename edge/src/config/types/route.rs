//! Which requests a route takes, and what it does with them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use regex::bytes::Regex;

use super::template::Template;
use super::{
    Access, Authentication, CacheRules, CompressRules, FieldRule, FilesAction, Mcp, NamedLimit,
    UpstreamId,
};

/// What happens to some of the requests for a host.
#[derive(Clone, Debug)]
pub struct Route {
    /// What the log and the metrics call it: its path as the file writes it.
    pub path: String,
    /// Which requests it takes.
    pub when: RouteMatch,
    /// What is done to the fields of requests that go upstream.
    pub request_rules: Vec<FieldRule>,
    /// What is done to the fields of answers.
    pub response_rules: Vec<FieldRule>,
    /// Who may ask, by address.
    pub access: Access,
    /// Who may ask, by what they prove.
    pub auth: Authentication,
    /// Limits that are counted for it.
    pub limits: Vec<Arc<NamedLimit>>,
    /// The longest request body.
    pub body_bytes_max: Option<u64>,
    /// How its answers are compressed; `None` not at all.
    pub compress: Option<Arc<CompressRules>>,
    /// What is done with them.
    pub action: Action,
    /// Requests that change nothing are taken in early data, which can be replayed.
    pub early_data: bool,
}

/// Which requests a route takes.
#[derive(Clone, Debug)]
pub struct RouteMatch {
    /// Their path.
    pub path: PathMatch,
    /// Their methods; empty takes every one.
    pub methods: Vec<Method>,
    /// What their fields must be, all of it.
    pub fields: Vec<FieldMatch>,
}

impl RouteMatch {
    /// A text that only routes for the same requests share.
    pub fn identity(&self) -> String {
        let mut methods: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        methods.sort_unstable();
        let fields: Vec<String> = self.fields.iter().map(ToString::to_string).collect();
        format!("{} {methods:?} {fields:?}", self.path)
    }
}

/// Which paths a route takes.
#[derive(Clone, Debug)]
pub enum PathMatch {
    /// Whole segments: `/mcp` takes `/mcp` and `/mcp/x`, not `/mcpx`.
    Prefix(String),
    /// This path alone.
    Exact(String),
    /// Every path in which the expression is found.
    Regex(Regex),
}

/// What a field of a request must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMatch {
    /// Its name in lower case.
    pub name: String,
    /// What of it.
    pub want: FieldWant,
}

/// What is wanted of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldWant {
    /// That it is there.
    Present,
    /// That it is not.
    Absent,
    /// That one of its values is this.
    Value(String),
}

/// What a route does with a request that its guards have admitted.
#[derive(Clone, Debug)]
pub enum Action {
    /// It goes to an upstream.
    Proxy(ProxyAction),
    /// The client is sent elsewhere.
    Redirect(RedirectAction),
    /// It is answered with files of a directory.
    Files(Box<FilesAction>),
    /// The edge itself answers, always the same.
    Respond(RespondAction),
}

/// A route to an upstream.
#[derive(Clone, Debug)]
pub struct ProxyAction {
    /// Where requests go.
    pub upstream: UpstreamId,
    /// What becomes of the path on the way.
    pub rewrite: Rewrite,
    /// After how much silence an event stream gets a comment; `None` never.
    pub keep_alive: Option<Duration>,
    /// From the whole request to the response head; `None` is what the upstream says.
    pub response_timeout: Option<Duration>,
    /// The request body is read whole before the upstream is asked.
    pub buffer_request: bool,
    /// Clients may open a WebSocket.
    pub websocket: bool,
    /// A directory that is looked into first: what is no file there goes to the upstream.
    pub files: Option<Box<FilesAction>>,
    /// What is stored of its answers; `None` nothing.
    pub cache: Option<Arc<CacheRules>>,
    /// What the edge does for MCP on this route.
    pub mcp: Option<Arc<Mcp>>,
}

/// What becomes of a path on the way to the upstream.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Rewrite {
    /// Nothing.
    #[default]
    Keep,
    /// The path of the route is cut off.
    StripPrefix,
    /// It is made anew. The query stays unless this has one.
    To(Template),
}

/// A redirect (RFC 9110 §15.4).
#[derive(Clone, Debug)]
pub struct RedirectAction {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// `Location`.
    pub to: Template,
}

/// An answer that is always the same.
#[derive(Clone, Debug)]
pub struct RespondAction {
    /// Its status.
    pub status: StatusCode,
    /// Its content; `None` for the page of the status.
    pub body: Option<Box<str>>,
    /// The media type of the content.
    pub content_type: String,
}

impl RespondAction {
    /// Whether the connection is closed instead.
    pub fn is_none(&self) -> bool {
        self.status.as_u16() == 444
    }
}

impl Action {
    /// What the edge does for MCP, where it does.
    pub fn mcp(&self) -> Option<&Mcp> {
        match self {
            Action::Proxy(proxy) => proxy.mcp.as_deref(),
            Action::Redirect(_) | Action::Files(_) | Action::Respond(_) => None,
        }
    }

    /// The files, for an action that serves some.
    pub fn files(&self) -> Option<&FilesAction> {
        match self {
            Action::Files(files) => Some(files),
            Action::Proxy(proxy) => proxy.files.as_deref(),
            Action::Redirect(_) | Action::Respond(_) => None,
        }
    }

    /// The files, to be opened.
    pub(in crate::config) fn files_mut(&mut self) -> Option<&mut FilesAction> {
        match self {
            Action::Files(files) => Some(files),
            Action::Proxy(proxy) => proxy.files.as_deref_mut(),
            Action::Redirect(_) | Action::Respond(_) => None,
        }
    }

    /// The upstream, for an action that has one.
    pub fn upstream(&self) -> Option<UpstreamId> {
        match self {
            Action::Proxy(proxy) => Some(proxy.upstream),
            Action::Redirect(_) | Action::Files(_) | Action::Respond(_) => None,
        }
    }
}

impl Route {
    /// A route for a path and everything below it.
    pub fn for_prefix(path: &str, action: Action) -> Route {
        Route {
            path: path.to_owned(),
            when: RouteMatch {
                path: PathMatch::Prefix(path.to_owned()),
                methods: Vec::new(),
                fields: Vec::new(),
            },
            request_rules: Vec::new(),
            response_rules: Vec::new(),
            access: Access::default(),
            auth: Authentication::default(),
            limits: Vec::new(),
            body_bytes_max: None,
            compress: None,
            early_data: false,
            action,
        }
    }
}

impl ProxyAction {
    /// To an upstream, with the path as it is and no comments in event streams.
    pub fn to(upstream: UpstreamId) -> ProxyAction {
        ProxyAction {
            upstream,
            rewrite: Rewrite::Keep,
            keep_alive: None,
            response_timeout: None,
            buffer_request: false,
            websocket: true,
            files: None,
            cache: None,
            mcp: None,
        }
    }
}

/// As the log, the metrics and `edge routes` show it.
impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathMatch::Prefix(path) => f.write_str(path),
            PathMatch::Exact(path) => write!(f, "= {path}"),
            PathMatch::Regex(regex) => write!(f, "~ {regex}"),
        }
    }
}

impl fmt::Display for FieldMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.want {
            FieldWant::Present => f.write_str(name),
            FieldWant::Absent => write!(f, "!{name}"),
            FieldWant::Value(value) => write!(f, "{name}: {value}"),
        }
    }
}

//! The validated configuration, as the rest of the program sees it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cidr::Cidr;

mod api_keys;
mod authentication;
mod cache;
pub(in crate::config) mod claims;
mod compress;
mod error_page;
mod files;
mod forwarding;
mod headers;
mod jwt;
mod limits;
mod log;
mod maintenance;
mod mcp;
mod quic;
mod route;
mod shield;
mod template;
mod tls;
mod trace;
mod upstream;
mod upstream_tls;
mod users;

pub use api_keys::KeyNames;
pub use authentication::{ApiKeys, AuthRequest, Authentication, BasicAuth, RequestPart};
pub use cache::CacheRules;
pub use compress::{Coding, CompressRules};
pub use error_page::ErrorPage;
pub use files::{Attempt, FilesAction};
pub use forwarding::{ClientField, Forwarding};
pub use headers::{Change, FieldRule};
pub use jwt::Jwt;
pub use limits::{Access, LimitKey, NamedLimit};
pub use log::{Log, LogField, LogFields, LogFormat, LogTarget};
pub use maintenance::Maintenance;
pub use mcp::{Mcp, McpKey, McpLimit, NameLimit, Secrets};

pub use quic::{Quic, RetryPolicy};
pub use shield::{Fragments, Shield, ShieldMode};
pub use upstream::{
    Check, Ejection, Multiplexing, Policy, Protocol, Upstream, UpstreamAddr, UpstreamServer,
};
pub use upstream_tls::{UpstreamTls, UpstreamTlsContent};
pub use users::{Argon2id, PasswordHash, Users};

pub use route::{
    Action, FieldMatch, FieldWant, PathMatch, ProxyAction, RedirectAction, RespondAction, Rewrite,
    Route, RouteMatch,
};
pub use template::{Piece, Template, Variable};
pub use tls::{ClientAuth, Tls, TlsVersion};
pub use trace::Tracing;

/// The file `edge` reads when none is named.
pub const DEFAULT_PATH: &str = "/etc/edge/edge.toml";
/// The admin socket when the file names none.
pub const DEFAULT_ADMIN_SOCKET: &str = "/run/edge/admin.sock";
/// The directory in which the shield is pinned when the file names none.
pub const DEFAULT_PIN: &str = "/sys/fs/bpf/edge";

/// A whole, consistent configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Worker threads; one per CPU unless the file says otherwise.
    pub workers: usize,
    /// The account to become after start-up when started as root.
    pub user: Option<String>,
    /// Sockets to accept connections on.
    pub listen: Listen,
    /// Who a request comes from, and what upstreams are told about it.
    pub forwarding: Forwarding,
    /// Virtual hosts in the order of the file.
    pub hosts: Vec<Host>,
    /// Upstreams; [`UpstreamId`] indexes this list.
    pub upstreams: Vec<Upstream>,
    /// TLS of every host.
    pub tls: Tls,
    /// Deadlines of the data plane.
    pub timeouts: Timeouts,
    /// Sizes and counts nothing may exceed.
    pub bounds: Bounds,
    /// Connections of one client.
    pub per_address: PerAddress,
    /// HTTP/3.
    pub quic: Quic,
    /// Requests per client address; `None` switches the limit off.
    pub limit: Option<RequestLimit>,
    /// What becomes of clients that misbehave; `None` nothing.
    pub penalty: Option<Penalty>,
    /// The kernel program.
    pub shield: Shield,
    /// Where the access log goes.
    pub log: Log,
    /// Where spans go; `None` makes none.
    pub trace: Option<Tracing>,
    /// Where the metrics page is served.
    pub metrics: Option<SocketAddr>,
    /// Path of the Unix socket that `edge ban` and friends talk to.
    pub admin: PathBuf,
    /// Files that were read as parts of it: lists of networks, error pages.
    pub included: Vec<PathBuf>,
}

/// Listening addresses.
#[derive(Clone, Debug, Default)]
pub struct Listen {
    /// TLS: HTTP/1.1 and HTTP/2.
    pub https: Vec<SocketAddr>,
    /// QUIC: HTTP/3.
    pub quic: Vec<SocketAddr>,
    /// Plain HTTP/1.1.
    pub http: Vec<SocketAddr>,
    /// Those of them on which proxies say, with the PROXY protocol, whose connection it is.
    pub proxy_protocol: Vec<SocketAddr>,
    /// How connections find their worker.
    pub steer: Steer,
    /// Plain HTTP answers a redirect to HTTPS instead of serving routes.
    pub redirect: bool,
    /// A request for a host that is not here gets no answer, not even 421.
    pub close_unknown: bool,
}

/// How a TCP connection finds its worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steer {
    /// By CPU where the network card has a queue for every worker, else by hash.
    #[default]
    Auto,
    /// To the worker on the CPU that it came in on.
    Cpu,
    /// By the kernel's hash of the addresses.
    Hash,
}

/// A virtual host.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Names it answers to.
    pub names: Vec<HostName>,
    /// Certificate for its names; hosts without one are reached over plain HTTP only.
    pub certificate: Option<Certificate>,
    /// Clients are told of HTTP/3.
    pub http3: bool,
    /// What is done to the fields of answers that no route gives.
    pub response_rules: Vec<FieldRule>,
    /// Certificates that its clients must show.
    pub client_auth: Option<ClientAuth>,
    /// Pages for answers of the edge's own; one status before a class of them.
    pub error_pages: Vec<ErrorPage>,
    /// It is being worked on.
    pub maintenance: Option<Maintenance>,
    /// Routes in the order of the file.
    pub routes: Vec<Route>,
}

/// A name a host answers to, in lower case and without port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostName {
    /// `mcp.example.com`, an IPv4 address, or an IPv6 address without brackets.
    Exact(String),
    /// `*.example.com`, kept as `example.com`: exactly one more label.
    Wildcard(String),
    /// `*`: whatever no other host answers to.
    Any,
}

/// PEM files of one certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// The chain, leaf first.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// What the authority says of it, stapled for clients.
    pub ocsp: Ocsp,
}

/// Where the authority's word comes from that a certificate is not revoked (OCSP, RFC 6960).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ocsp {
    /// From the authority, for certificates that are refused without (RFC 7633).
    #[default]
    WhereDemanded,
    /// From the authority, as the certificate says.
    Fetch,
    /// From a file, in DER.
    File(PathBuf),
    /// There is none.
    Off,
}

impl Ocsp {
    /// The file that it is in.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Ocsp::File(path) => Some(path),
            _ => None,
        }
    }
}

/// Index into [`Config::upstreams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamId(pub usize);

/// Deadlines.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// TLS handshake, from accept to the last message.
    pub handshake: Duration,
    /// First to last byte of a request head, and the whole wait for the first head.
    pub head: Duration,
    /// Silence inside a request body.
    pub body: Duration,
    /// Idle keep-alive connection.
    pub idle: Duration,
    /// No byte of a response accepted by the client.
    pub send: Duration,
    /// No byte either way on a WebSocket.
    pub websocket_idle: Duration,
    /// How long a WebSocket may live.
    pub websocket_age: Duration,
    /// From the stop signal until what still runs is cut.
    pub drain: Duration,
}

/// Bounds of the data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a request or response head, and of a trailer section.
    pub head_bytes: usize,
    /// Fields in a head.
    pub head_fields: usize,
    /// Bytes queued per direction of an exchange before its source is no longer read.
    pub buffer_bytes: usize,
    /// Stored answers, all workers together.
    pub cache_bytes: usize,
    /// Connections per worker, idle ones included.
    pub connections: usize,
    /// Concurrent streams per HTTP/2 connection.
    pub streams: u32,
    /// Requests served on one connection before it is closed.
    pub requests_per_connection: u64,
    /// Bytes a second that must come of a request body, averaged over ten seconds.
    pub body_rate: Option<u64>,
}

/// How many connections one client address may have open (IPv6: one prefix).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PerAddress {
    /// So many, over TCP and QUIC together; `None` any number.
    pub connections: Option<u32>,
    /// Networks that have no such bound: trusted proxies and whom the shield lets in are among them.
    pub exempt: Vec<Cidr>,
}

/// A rate: so many a second on average, so many at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Average per second; may be a fraction (`30/m` is 0.5).
    pub per_sec: f64,
    /// How many may come at once; at least 1.
    pub burst: u32,
}

/// The limit per client address (IPv6: per /64).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestLimit {
    /// Requests admitted.
    pub rate: Rate,
}

/// When offences become a ban in the kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalty {
    /// This many refused requests ...
    pub refused: u32,
    /// ... within this time ...
    pub within: Duration,
    /// ... ban the address for this long.
    pub ban: Duration,
    /// Each further ban lasts twice as long as the one before, up to this.
    pub ban_max: Duration,
    /// How long after its end a ban still counts as the one before.
    pub forget: Duration,
    /// How many refused requests other offences count as.
    pub weights: Weights,
}

/// How many refused requests an offence counts as; 0 not at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// A failed TLS handshake.
    pub handshake: u32,
    /// A request that breaks the protocol.
    pub malformed: u32,
    /// A message framed in two ways at once.
    pub smuggling: u32,
    /// A head beyond the bounds.
    pub oversize: u32,
    /// HTTP/2 streams reset in bulk.
    pub resets: u32,
    /// A request that failed to authenticate.
    pub auth: u32,
}

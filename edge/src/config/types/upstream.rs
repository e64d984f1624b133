//! Groups of servers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::UpstreamTls;
use crate::message::ProxyVersion;

/// A named group of servers that can answer the same requests.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The name used in the file, the log and the metrics.
    pub name: String,
    /// At least one server.
    pub servers: Vec<UpstreamServer>,
    /// Which of them gets a request.
    pub policy: Policy,
    /// For the connection to be established.
    pub connect_timeout: Duration,
    /// For the server to take something of the request.
    pub send_timeout: Duration,
    /// From the whole request sent to the response head, and between reads of a body of known length.
    pub response_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Idle connections kept per worker and server.
    pub idle_max: usize,
    /// Servers asked to accept a connection before a request fails.
    pub tries: u32,
    /// Connections in use at once per server, all workers together.
    pub max_connections: Option<usize>,
    /// How long a request waits for one of them.
    pub queue_timeout: Duration,
    /// When a failing server is left alone.
    pub ejection: Ejection,
    /// How long a server that is back gets less than its share; zero for not at all.
    pub slow_start: Duration,
    /// How often names are looked up again; `None` never.
    pub resolve: Option<Duration>,
    /// Requests that ask whether a server is well.
    pub check: Option<Check>,
    /// What the servers speak.
    pub protocol: Protocol,
    /// Connections begin with a header that tells the server who the client is.
    pub proxy_protocol: Option<ProxyVersion>,
    /// TLS to the servers; `None` for plain HTTP.
    pub tls: Option<UpstreamTls>,
}

impl Upstream {
    /// Whether a connection that was opened under the other settings may be used under these.
    pub fn connects_like(&self, other: &Upstream) -> bool {
        self.tls == other.tls
            && self.protocol.is_h2() == other.protocol.is_h2()
            && self.proxy_protocol == other.proxy_protocol
    }
}

/// What servers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    H1,
    /// HTTP/2: with prior knowledge, over TLS by ALPN.
    H2(Multiplexing),
}

impl Protocol {
    /// Whether it is HTTP/2.
    pub fn is_h2(self) -> bool {
        matches!(self, Protocol::H2(_))
    }
}

/// How requests share connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplexing {
    /// Connections per worker and server.
    pub connections: usize,
    /// Requests at once on each.
    pub streams: usize,
}

/// A server of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamServer {
    /// The name to look up again, and the port.
    pub name: Option<(String, u16)>,
    /// Where it listens; nowhere as long as its name cannot be looked up.
    pub addresses: Vec<UpstreamAddr>,
    /// Its share among the others.
    pub weight: u32,
    /// Asked only when no other can be.
    pub backup: bool,
    /// It is written `https://`.
    pub tls: bool,
}

/// Where an upstream server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamAddr {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix stream socket.
    Unix(PathBuf),
}

/// How a server is chosen among those that are well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Of two picked at random, the one with less to do.
    LeastOfTwo,
    /// One after the other.
    RoundRobin,
    /// The same client always the same server.
    HashAddress,
    /// The same value of a field always the same server; the address where the field is missing.
    HashField(String),
    /// The same for a cookie.
    HashCookie(String),
    /// The same path always the same server.
    HashPath,
    /// The same path and query.
    HashUri,
}

/// When a server that fails requests is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Failures in a row.
    pub after: u32,
    /// How long at first; twice as long each time in a row.
    pub time: Duration,
    /// How long at most.
    pub time_max: Duration,
}

/// An active health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is asked for.
    pub path: String,
    /// The `Host` that is asked; `None` for the server's own address.
    pub host: Option<String>,
    /// The status that says all is well; `None` for any 2xx or 3xx.
    pub status: Option<u16>,
    /// From one to the next.
    pub interval: Duration,
    /// For the whole answer.
    pub timeout: Duration,
    /// Successes in a row that bring a server back.
    pub healthy: u32,
    /// Failures in a row that take it out.
    pub unhealthy: u32,
}

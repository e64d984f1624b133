//! A named group of servers as one worker sees it: which server gets a request, on which connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::UpstreamError;
use super::conn::Conn;
use super::pool::Pool;
use crate::clock::monotonic_ns;
use crate::config::{Bounds, Upstream, UpstreamAddr, UpstreamId};
use crate::net;

/// A server that failed to accept a connection is left alone for this long while others are there.
const EJECTED_FOR_NS: u64 = 5_000_000_000;

/// Every group of the configuration, for one worker.
pub struct Upstreams {
    groups: Vec<Rc<Group>>,
}

impl Upstreams {
    /// A pool for every server of every configured group. A server that a group of the same name
    /// had before, with the same settings, comes along with its connections.
    pub fn new(
        configured: &[Upstream],
        bounds: &Bounds,
        previous: Option<&Upstreams>,
    ) -> Upstreams {
        let known = previous.map_or(&[][..], |previous| &previous.groups);
        let groups = configured.iter().map(|upstream| {
            let same = known.iter().find(|group| {
                let settings = &group.settings;
                settings.name == upstream.name
                    && settings.idle_max == upstream.idle_max
                    && settings.idle_timeout == upstream.idle_timeout
                    && group.bounds == *bounds
            });
            Rc::new(Group::new(upstream, bounds, same.map(|group| &**group)))
        });
        Upstreams {
            groups: groups.collect(),
        }
    }

    /// A group by its number in the configuration.
    pub fn group(&self, id: UpstreamId) -> &Rc<Group> {
        &self.groups[id.0]
    }

    /// Regular upkeep of all pools; called about once a second.
    pub fn sweep(&self) {
        let now_ns = monotonic_ns();
        for server in self.groups.iter().flat_map(|group| &group.servers) {
            server.pool.borrow_mut().sweep(now_ns);
        }
    }

    /// Open connections per group: in use and idle.
    pub fn connections(&self) -> impl Iterator<Item = (UpstreamId, usize)> {
        self.groups.iter().enumerate().map(|(index, group)| {
            let open = |server: &Rc<Server>| server.in_flight.get() + server.pool.borrow().len();
            (UpstreamId(index), group.servers.iter().map(open).sum())
        })
    }
}

/// Servers that can answer the same requests.
pub struct Group {
    settings: Upstream,
    servers: Vec<Rc<Server>>,
    bounds: Bounds,
    random: Cell<u64>,
}

struct Server {
    addr: UpstreamAddr,
    label: Rc<str>,
    pool: RefCell<Pool>,
    in_flight: Cell<usize>,
    ejected_until_ns: Cell<u64>,
}

/// A connection lent for one exchange.
pub struct Lease {
    conn: Option<Conn>,
    /// It has carried an exchange before.
    pub reused: bool,
    server: Rc<Server>,
}

impl Group {
    fn new(upstream: &Upstream, bounds: &Bounds, previous: Option<&Group>) -> Group {
        let known = previous.map_or(&[][..], |previous| &previous.servers);
        let idle_timeout_ns = upstream.idle_timeout.as_nanos() as u64;
        let server = |addr: &UpstreamAddr| {
            if let Some(known) = known.iter().find(|known| known.addr == *addr) {
                return Rc::clone(known);
            }
            Rc::new(Server {
                addr: addr.clone(),
                label: match addr {
                    UpstreamAddr::Tcp(addr) => addr.to_string().into(),
                    UpstreamAddr::Unix(path) => format!("unix:{}", path.display()).into(),
                },
                pool: RefCell::new(Pool::new(upstream.idle_max, idle_timeout_ns)),
                in_flight: Cell::new(0),
                ejected_until_ns: Cell::new(0),
            })
        };
        Group {
            settings: upstream.clone(),
            servers: upstream.servers.iter().map(server).collect(),
            bounds: *bounds,
            random: Cell::new(monotonic_ns() | 1),
        }
    }

    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// From the whole request sent to the response head.
    pub fn response_timeout(&self) -> Duration {
        self.settings.response_timeout
    }

    /// A connection for one exchange: a warm one if there is one, else a new one. Servers that
    /// refuse are passed over, each tried once: no byte of the request has been sent yet.
    pub async fn lease(&self) -> Result<Lease, UpstreamError> {
        let now_ns = monotonic_ns();
        let first = self.choose(now_ns);
        if let Some(conn) = self.servers[first].pool.borrow_mut().take(now_ns) {
            return Ok(Lease::new(conn, true, &self.servers[first]));
        }
        self.connect_from(first).await
    }

    /// How many servers there are.
    pub fn servers(&self) -> usize {
        self.servers.len()
    }

    /// The number of the server whose address, as logs show it, is wanted.
    pub fn find(&self, wanted: impl Fn(&str) -> bool) -> Option<usize> {
        self.servers.iter().position(|server| wanted(&server.label))
    }

    /// A connection to one server and no other: it alone knows the session.
    pub async fn lease_of(&self, server: usize) -> Result<Lease, UpstreamError> {
        let warm = self.servers[server].pool.borrow_mut().take(monotonic_ns());
        match warm {
            Some(conn) => Ok(Lease::new(conn, true, &self.servers[server])),
            None => self.lease_new_of(server).await,
        }
    }

    /// A connection to one server that nobody has used before.
    pub async fn lease_new_of(&self, server: usize) -> Result<Lease, UpstreamError> {
        self.connect(&self.servers[server]).await
    }

    /// A connection that nobody has used before.
    pub async fn lease_new(&self) -> Result<Lease, UpstreamError> {
        self.connect_from(self.choose(monotonic_ns())).await
    }

    async fn connect_from(&self, first: usize) -> Result<Lease, UpstreamError> {
        let mut last = UpstreamError::Closed;
        for i in 0..self.servers.len() {
            match self
                .connect(&self.servers[(first + i) % self.servers.len()])
                .await
            {
                Ok(lease) => return Ok(lease),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect(&self, server: &Rc<Server>) -> Result<Lease, UpstreamError> {
        let connect = net::connect(&server.addr);
        let error = match tokio::time::timeout(self.settings.connect_timeout, connect).await {
            Ok(Ok(socket)) => {
                server.ejected_until_ns.set(0);
                return Ok(Lease::new(Conn::new(socket, &self.bounds), false, server));
            }
            Ok(Err(error)) => UpstreamError::Connect(error),
            Err(_) => UpstreamError::ConnectTimeout,
        };
        server.ejected_until_ns.set(monotonic_ns() + EJECTED_FOR_NS);
        Err(error)
    }

    /// Power of two choices: of two servers picked at random, the one with fewer requests in
    /// flight. Servers that refused lately are chosen only when the alternative did too.
    fn choose(&self, now_ns: u64) -> usize {
        let n = self.servers.len();
        if n == 1 {
            return 0;
        }
        let a = self.next_random() as usize % n;
        let b = (a + 1 + self.next_random() as usize % (n - 1)) % n;
        let burden = |i: usize| {
            let server = &self.servers[i];
            (
                server.ejected_until_ns.get() > now_ns,
                server.in_flight.get(),
            )
        };
        if burden(b) < burden(a) { b } else { a }
    }

    /// xorshift64: choices need to differ, not to be unpredictable.
    fn next_random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x
    }
}

impl Lease {
    fn new(conn: Conn, reused: bool, server: &Rc<Server>) -> Lease {
        server.in_flight.set(server.in_flight.get() + 1);
        Lease {
            conn: Some(conn),
            reused,
            server: Rc::clone(server),
        }
    }

    /// The server's address, for logs.
    pub fn server(&self) -> &Rc<str> {
        &self.server.label
    }

    /// The connection.
    pub fn conn(&mut self) -> &mut Conn {
        self.conn.as_mut().expect("held until the lease is dropped")
    }
}

impl Drop for Lease {
    /// Gives the connection back: kept if it can carry another exchange, closed if not.
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take().filter(Conn::is_reusable) {
            self.server.pool.borrow_mut().put(conn, monotonic_ns());
        }
        self.server.in_flight.set(self.server.in_flight.get() - 1);
    }
}

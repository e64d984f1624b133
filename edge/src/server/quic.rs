//! From a UDP socket to connections handed to the HTTP/3 front.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use edge_common::Owner;
use quinn::{Connecting, ConnectionError, Endpoint, Incoming, VarInt};
use tokio::sync::oneshot;

use super::accept::Counted;
use super::clients::Line;
use super::worker::{OpenConnection, Worker};
use crate::clock::monotonic_ns;
use crate::http::h3;
use crate::limit::{Connections, Held};
use crate::net::{self, QuicRuntime, UdpCounts, UdpSocket};
use crate::observe::Protocol;
use crate::observe::metrics::{Handshake, QuicFailure, TlsVersion};
use crate::quic::{Admission, Decision, GENERATION, Keys, Load, endpoint_config};

/// For the last packets of a worker that ends: what is said in them is not repeated.
const CLOSE_WAIT: Duration = Duration::from_millis(20);
/// H3_NO_ERROR.
const NO_ERROR: VarInt = VarInt::from_u32(0x100);

/// What the workers of a process have in common of QUIC.
#[derive(Clone)]
pub(super) struct QuicPlan {
    keys: Keys,
    /// The connections of each client.
    open: Connections,
    /// Those whose handshake is under way.
    begun: Connections,
}

impl QuicPlan {
    pub(super) fn new(keys: Keys, open: Connections) -> QuicPlan {
        QuicPlan {
            keys,
            open,
            begun: Connections::default(),
        }
    }
}

/// What the QUIC endpoints of one worker share.
pub(super) struct Quic {
    keys: Keys,
    owner: Owner,
    handshakes: Cell<usize>,
    admission: Admission,
    endpoints: RefCell<HashMap<SocketAddr, Open>>,
    /// The worker is ending.
    is_closing: Cell<bool>,
}

/// An endpoint and its socket.
struct Open {
    endpoint: Endpoint,
    socket: Arc<UdpSocket>,
    /// What has been counted of it.
    counted: UdpCounts,
}

impl Quic {
    /// For the worker of that number.
    pub(super) fn new(plan: QuicPlan, worker: usize, ipv6_prefix: u8) -> Quic {
        Quic {
            keys: plan.keys,
            owner: Owner {
                worker: worker as u8,
                generation: *GENERATION,
            },
            handshakes: Cell::new(0),
            admission: Admission::new(plan.open, plan.begun, ipv6_prefix),
            endpoints: RefCell::default(),
            is_closing: Cell::new(false),
        }
    }
}

/// Accepts until `closing` says that the address is no longer listened on. The connections there are
/// live on: their packets keep coming to the same socket. A worker that drains says no, which sends
/// clients elsewhere at once.
pub(super) async fn accept_loop(
    worker: Rc<Worker>,
    socket: StdSocket,
    mut closing: oneshot::Receiver<()>,
) {
    let Some((quic, addr, socket, endpoint)) = open(&worker, socket) else {
        return;
    };
    let open = Open {
        endpoint: endpoint.clone(),
        socket,
        counted: UdpCounts::default(),
    };
    quic.endpoints.borrow_mut().insert(addr, open);
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            _ = &mut closing => break,
        };
        let Some(incoming) = incoming else {
            if quic.is_closing.get() {
                return;
            }
            // Its driver has panicked: nobody reads this socket any more.
            tracing::error!("a QUIC endpoint has ended");
            worker.fail();
            return;
        };
        match worker.service.drain().is_started() {
            true => incoming.refuse(),
            false => consider(&worker, quic, incoming),
        }
    }
    endpoint.set_server_config(None);
    // It goes away with its last connection.
    quic.endpoints.borrow_mut().remove(&addr);
}

fn open(
    worker: &Worker,
    socket: StdSocket,
) -> Option<(&Quic, SocketAddr, Arc<UdpSocket>, Endpoint)> {
    let quic = worker.quic.as_ref()?;
    let config = worker.quic_config()?;
    let addr = socket.local_addr().ok()?;
    let offload = worker.snapshot().config.quic.offload;
    let endpoint = UdpSocket::new(socket).and_then(|socket| {
        socket.set_offload(offload);
        let endpoint = Endpoint::new_with_abstract_socket(
            endpoint_config(&quic.keys, quic.owner),
            Some((*config).clone()),
            Arc::clone(&socket) as _,
            Arc::new(QuicRuntime::default()),
        )?;
        Ok((socket, endpoint))
    });
    match endpoint {
        Ok((socket, endpoint)) => Some((quic, addr, socket, endpoint)),
        Err(error) => {
            tracing::error!(%error, "cannot serve HTTP/3");
            None
        }
    }
}

/// Decides what becomes of an attempt.
fn consider(worker: &Rc<Worker>, quic: &Quic, incoming: Incoming) {
    let addr = incoming.remote_address();
    let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
    let Some(config) = worker.quic_config() else {
        return incoming.refuse();
    };
    let permit = Arc::clone(&worker.connections).try_acquire_owned();
    let load = Load {
        handshakes: quic.handshakes.get(),
        is_validated: incoming.remote_address_validated(),
        has_room: permit.is_ok(),
    };
    let snapshot = worker.snapshot();
    let (rules, bound) = (snapshot.config.quic, &snapshot.config.per_address);
    let decision = quic.admission.decide(&rules, bound, addr.ip(), load);
    let metrics = &worker.service.metrics().quic;
    match decision {
        Decision::Ignore => {
            metrics.failed(QuicFailure::Refused);
            incoming.ignore();
        }
        Decision::Refuse => {
            metrics.failed(QuicFailure::Refused);
            incoming.refuse();
        }
        Decision::Retry => match incoming.retry() {
            Ok(()) => metrics.retried(),
            Err(error) => error.into_incoming().refuse(),
        },
        Decision::Accept(accepted) => {
            // An error here has been answered, where it deserved an answer.
            let Ok(connecting) = incoming.accept_with(config) else {
                metrics.failed(QuicFailure::Transport);
                return;
            };
            let admitted = Admitted {
                worker: Rc::clone(worker),
                addr,
                open: worker.open_connection(addr.ip()),
                _held: accepted.connection,
            };
            let handshaking = Handshaking::new(worker, accepted.handshake);
            net::spawn(async move {
                serve(&admitted, connecting, handshaking, rules.early_data).await;
                drop((admitted, permit));
            });
        }
    }
}

async fn serve(
    admitted: &Admitted,
    connecting: Connecting,
    handshaking: Handshaking,
    early_data: bool,
) {
    let worker = &admitted.worker;
    let deadline = worker.service.current().timeouts().handshake;
    let early = match early_data {
        true => connecting.into_0rtt(),
        false => Err(connecting),
    };
    let (connection, handshake) = match early {
        Ok((connection, established)) => {
            let (worker, addr) = (Rc::clone(worker), admitted.addr);
            let watched = connection.clone();
            let handshake = async move {
                let _handshaking = handshaking;
                let in_time = net::timeout(deadline, established).await.is_ok();
                let outcome = match (in_time, watched.close_reason()) {
                    (_, Some(error)) => Err(Some(error)),
                    (false, None) => Err(None),
                    (true, None) => Ok(()),
                };
                let is_complete = ended(&worker, &outcome);
                match is_complete {
                    true => known(&worker, addr),
                    false => watched.close(NO_ERROR, b""),
                }
                is_complete
            };
            (connection, Some(handshake))
        }
        Err(connecting) => {
            let outcome = match net::timeout(deadline, connecting).await {
                Ok(Ok(connection)) => Ok(connection),
                Ok(Err(error)) => Err(Some(error)),
                Err(_) => Err(None),
            };
            drop(handshaking);
            if !ended(worker, &outcome) {
                return;
            }
            let Ok(connection) = outcome else { return };
            known(worker, admitted.addr);
            (connection, None)
        }
    };
    let line = Line::Datagrams(connection.clone());
    worker.clients.reach(admitted.open.number(), line);
    let _counted = Counted::new(worker, Protocol::H3);
    let service = Rc::clone(&worker.service);
    let handshake = async move {
        match handshake {
            Some(handshake) => handshake.await,
            None => true,
        }
    };
    Box::pin(h3::serve(connection, admitted.addr, service, handshake)).await;
}

/// The client has answered from where it says it is.
fn known(worker: &Worker, addr: SocketAddr) {
    worker.known.note(addr.ip(), monotonic_ns());
}

/// Counts how a handshake ended; an error that is not there means that it took too long.
fn ended<T>(worker: &Worker, outcome: &Result<T, Option<ConnectionError>>) -> bool {
    let metrics = worker.service.metrics();
    match outcome {
        Ok(_) => metrics.handshake(Handshake::Done(TlsVersion::Tls13)),
        Err(Some(error)) => {
            metrics.handshake(Handshake::Failed);
            metrics.quic.failed(reason(error));
            tracing::debug!(%error, "QUIC handshake failed");
        }
        Err(None) => {
            metrics.handshake(Handshake::TimedOut);
            metrics.quic.failed(QuicFailure::Timeout);
        }
    }
    outcome.is_ok()
}

fn reason(error: &ConnectionError) -> QuicFailure {
    match error {
        ConnectionError::TimedOut => QuicFailure::Timeout,
        // RFC 9001 §4.8: the codes that carry a TLS alert.
        ConnectionError::TransportError(error) => match u64::from(error.code) {
            0x100..=0x1ff => QuicFailure::Tls,
            _ => QuicFailure::Transport,
        },
        ConnectionError::ConnectionClosed(close) => match u64::from(close.error_code) {
            0x100..=0x1ff => QuicFailure::Tls,
            _ => QuicFailure::Closed,
        },
        ConnectionError::VersionMismatch => QuicFailure::Transport,
        _ => QuicFailure::Closed,
    }
}

/// Counts what the sockets have moved, and tells them what is configured; called on the worker's
/// tick.
pub(super) fn count(worker: &Worker) {
    let Some(quic) = &worker.quic else { return };
    let offload = worker.snapshot().config.quic.offload;
    for open in quic.endpoints.borrow_mut().values_mut() {
        open.socket.set_offload(offload);
        let now = open.socket.counts();
        worker.service.metrics().quic.moved(now, open.counted);
        open.counted = now;
    }
}

/// Ends what is left of the connections, so that clients need not find out by themselves.
pub(super) async fn close_all(worker: &Worker) {
    let Some(quic) = &worker.quic else { return };
    quic.is_closing.set(true);
    let endpoints = quic.endpoints.take();
    if endpoints
        .values()
        .all(|open| open.endpoint.open_connections() == 0)
    {
        return;
    }
    for open in endpoints.values() {
        open.endpoint.close(NO_ERROR, b"");
    }
    net::sleep(CLOSE_WAIT).await;
}

/// A connection that counts for its client and its worker, a handshake included.
struct Admitted {
    worker: Rc<Worker>,
    /// Where the client was when it began, which the end of its handshake proves.
    addr: SocketAddr,
    open: OpenConnection,
    _held: Option<Held>,
}

/// A handshake under way.
struct Handshaking {
    worker: Rc<Worker>,
    _held: Option<Held>,
    _urgent: net::Urgent,
}

impl Handshaking {
    fn new(worker: &Rc<Worker>, held: Option<Held>) -> Handshaking {
        if let Some(quic) = &worker.quic {
            quic.handshakes.set(quic.handshakes.get() + 1);
        }
        Handshaking {
            worker: Rc::clone(worker),
            _held: held,
            _urgent: net::Urgent::new(),
        }
    }
}

impl Drop for Handshaking {
    fn drop(&mut self) {
        if let Some(quic) = &self.worker.quic {
            quic.handshakes.set(quic.handshakes.get() - 1);
        }
    }
}

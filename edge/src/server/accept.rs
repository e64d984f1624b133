//! From a listening socket to a connection handed to its protocol's front.

use std::future::{Future as _, poll_fn};
use std::net::{SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::clients::Line;
use super::handshake::handshake;
use super::proxied;
use super::worker::Worker;
use crate::clock::monotonic_ns;
use crate::http::{h1, h2};
use crate::limit::Full;
use crate::net::{self, Accepted, Listener};
use crate::observe::Protocol;
use crate::proxy::{ClientAuthentication, ClientCertificate, Peer};

/// Pause after an accept that failed for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long one idle connection has to make room before the next is asked to.
const ROOM_PAUSE: Duration = Duration::from_millis(20);

/// Accepts until the worker drains or `closing` says that the address is no longer listened on. At
/// the bound of connections it waits for one to close or to make room: clients wait in the kernel's
/// queue meanwhile.
pub(super) async fn accept_loop(
    worker: Rc<Worker>,
    socket: TcpListener,
    addr: SocketAddr,
    secure: bool,
    mut closing: oneshot::Receiver<()>,
) {
    let mut listener = Listener::new(socket);
    let drain = worker.service.drain();
    let mut draining = pin!(drain.started());
    loop {
        let accepted = poll_fn(|cx| {
            let drained = draining.as_mut().poll(cx).is_ready() || drain.is_started();
            if drained || Pin::new(&mut closing).poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            listener.poll_accept(cx).map(Some)
        });
        match accepted.await {
            None => break,
            Some(Ok(accepted)) => serve(&worker, accepted, addr, secure).await,
            Some(Err(error)) => {
                tracing::warn!(%error, "cannot accept a connection");
                net::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    for accepted in listener.close().await {
        serve(&worker, accepted, addr, secure).await;
    }
}

/// Serves a connection beside all others, once there is room for it.
async fn serve(worker: &Rc<Worker>, mut accepted: Accepted, addr: SocketAddr, secure: bool) {
    // Before a place is looked for: who has too many must not take that of others.
    let expects = worker.expects_proxy_header(addr);
    let held = match expects {
        true => None,
        false => match worker.hold(accepted.client.ip()) {
            Ok(held) => held,
            Err(Full) => return,
        },
    };
    let permit = place(worker).await;
    let (worker, line) = (Rc::clone(worker), accepted.socket.hang_up());
    // Whose packets they are: behind a proxy the proxy's.
    let open = worker.open_connection(accepted.client.ip());
    let (number, clients) = (open.number(), Rc::clone(&worker));
    let task = net::spawn_held(async move {
        let _open = open;
        if let Some(peer) = proxied::client(&worker, &mut accepted, expects).await {
            // Behind a proxy it is the client that the proxy names.
            let held = match expects {
                true => worker.hold(peer.addr.ip()),
                false => Ok(held),
            };
            if let Ok(_held) = held {
                match secure {
                    true => serve_tls(&worker, accepted, peer).await,
                    false => serve_plain(&worker, accepted, peer).await,
                }
            }
        }
        drop(permit);
    });
    clients.clients.reach(number, Line::Stream(line, task));
}

/// A place for one more connection. Where there is none, idle ones leave: nobody keeps others out by
/// having connections and not using them.
async fn place(worker: &Worker) -> Option<OwnedSemaphorePermit> {
    loop {
        if let Ok(permit) = Arc::clone(&worker.connections).try_acquire_owned() {
            return Some(permit);
        }
        worker.service.drain().dismiss_one();
        let next = Arc::clone(&worker.connections).acquire_owned();
        if let Ok(permit) = net::timeout(ROOM_PAUSE, next).await {
            return permit.ok();
        }
    }
}

async fn serve_plain(worker: &Rc<Worker>, accepted: Accepted, peer: Peer) {
    worker.known.note(accepted.client.ip(), monotonic_ns());
    let _counted = Counted::new(worker, Protocol::Http11);
    h1::serve(accepted.socket, &peer, &worker.service).await;
}

async fn serve_tls(worker: &Rc<Worker>, accepted: Accepted, mut peer: Peer) {
    let client = accepted.client;
    let Some(stream) = Box::pin(handshake(worker, accepted)).await else {
        return;
    };
    peer.tls = Some(stream.version().as_str());
    peer.client_auth = stream.client_auth().map(|settings| {
        Rc::new(ClientAuthentication {
            settings: Arc::clone(settings),
            certificate: stream.client_certificate().map(|shown| ClientCertificate {
                subject: shown.subject,
                san: shown.san,
                encoded: shown.encoded,
            }),
        })
    });
    worker.known.note(client.ip(), monotonic_ns());
    // Boxed apart, so that a connection holds the state of what it is doing and no more.
    if stream.is_h2() {
        let _counted = Counted::new(worker, Protocol::H2);
        Box::pin(h2::serve(stream, peer, Rc::clone(&worker.service))).await;
    } else {
        let _counted = Counted::new(worker, Protocol::Http11);
        Box::pin(h1::serve(stream, &peer, &worker.service)).await;
    }
}

/// A connection in the metrics.
pub(super) struct Counted<'a> {
    worker: &'a Worker,
    protocol: Protocol,
}

impl<'a> Counted<'a> {
    pub(super) fn new(worker: &'a Worker, protocol: Protocol) -> Counted<'a> {
        worker.service.metrics().connection_opened(protocol);
        Counted { worker, protocol }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.worker
            .service
            .metrics()
            .connection_closed(self.protocol);
    }
}

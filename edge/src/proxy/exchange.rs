//! One request and its reply, as every front presents them.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;

use super::authenticate::Unproved;
use super::client_certificate::ClientAuthentication;
use crate::auth::Claims;
use crate::message::{Fields, Frame, RequestHead, ResponseHead};
use crate::net::Timer;

/// One exchange. All of it stays where it is: what an async function is given and moves has its place
/// in the task twice.
pub struct Exchange<'a, D> {
    /// The request head.
    pub head: &'a mut RequestHead,
    /// The request body's source and the reply's sink: one object, because with HTTP/1.1 both are
    /// the same connection.
    pub client: &'a mut D,
    /// Who asks.
    pub peer: &'a Peer,
}

/// The other end of a client connection; for one request, the client behind trusted proxies.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address; port 0 where a proxy did not say.
    pub addr: SocketAddr,
    /// The TLS version, `None` on a plain connection.
    pub tls: Option<&'static str>,
    /// Packets come from this address: a ban in the kernel meets this client and nobody else.
    pub is_direct: bool,
    /// The scheme the client used, where a trusted proxy says it is another.
    pub(super) told_scheme: Option<&'static str>,
    /// What was asked of it in the handshake; `None` when no certificate was.
    pub client_auth: Option<Rc<ClientAuthentication>>,
    /// Who asks, once the route has made sure of it.
    user: OnceCell<Rc<str>>,
    /// What its token says, once the route has judged it.
    proof: OnceCell<Result<Rc<Claims>, Unproved>>,
}

impl Peer {
    /// A client that is connected itself.
    pub fn new(addr: SocketAddr, tls: Option<&'static str>) -> Peer {
        Peer {
            addr,
            tls,
            is_direct: true,
            told_scheme: None,
            client_auth: None,
            user: OnceCell::new(),
            proof: OnceCell::new(),
        }
    }

    /// A client whose address a trusted proxy has told.
    pub fn behind_proxy(addr: SocketAddr) -> Peer {
        Peer {
            is_direct: false,
            ..Peer::new(SocketAddr::new(addr.ip().to_canonical(), addr.port()), None)
        }
    }

    /// Says who asks; the first to know is right.
    pub(super) fn identify(&self, user: &str) {
        self.user.get_or_init(|| user.into());
    }

    /// Who asks, if the route has made sure of it.
    pub(super) fn user(&self) -> Option<&str> {
        self.user.get().map(|user| &**user)
    }

    /// Has the token of the request judged, once.
    pub(super) fn prove(
        &self,
        judge: impl FnOnce() -> Result<Rc<Claims>, Unproved>,
    ) -> &Result<Rc<Claims>, Unproved> {
        self.proof.get_or_init(judge)
    }

    /// What its token says, or why none was good; `None` where no token has been asked for.
    pub(super) fn proof(&self) -> Option<&Result<Rc<Claims>, Unproved>> {
        self.proof.get()
    }

    /// What the token of the request says under a name.
    pub(super) fn claim(&self, name: &str) -> Option<&str> {
        self.proof()?.as_ref().ok()?.value(name)
    }

    /// The scheme the client used.
    pub fn scheme(&self) -> &'static str {
        match (self.told_scheme, self.tls) {
            (Some(told), _) => told,
            (None, Some(_)) => "https",
            (None, None) => "http",
        }
    }
}

/// Why the client's side of an exchange cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// It closed the connection or reset the stream.
    #[error("client went away")]
    Gone,
    /// Its request body breaks the framing rules.
    #[error("malformed request body")]
    BadBody,
    /// Its request body is longer than the route takes.
    #[error("request body too large")]
    TooLarge,
    /// Its request body could not be kept; not its fault.
    #[error("request body could not be stored")]
    Storage,
    /// It sent nothing of its body for too long, or too little of it.
    #[error("request body stalled")]
    BodyTimeout,
    /// It took nothing of the response for too long.
    #[error("response not taken in time")]
    SendTimeout,
}

impl ClientError {
    /// The status for the log, and for the client if it still listens.
    pub fn status(self) -> StatusCode {
        match self {
            ClientError::Gone | ClientError::SendTimeout => client_gone(),
            ClientError::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            ClientError::BadBody => StatusCode::BAD_REQUEST,
            ClientError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ClientError::Storage => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A short token for the access log.
    pub fn reason(self) -> &'static str {
        match self {
            ClientError::Gone => "client_gone",
            ClientError::BadBody => "bad_body",
            ClientError::TooLarge => "body_too_large",
            ClientError::Storage => "body_storage",
            ClientError::BodyTimeout => "body_timeout",
            ClientError::SendTimeout => "send_timeout",
        }
    }
}

/// Logged when the client left before it had its answer: nginx's 499, for no registered status says
/// so.
pub(super) fn client_gone() -> StatusCode {
    StatusCode::from_u16(499).expect("within 100..1000")
}

/// The client's side of one exchange: where the request body comes from and the reply goes to.
///
/// Sending only queues; nothing leaves before [`Downstream::poll_flush`], so that a head and the
/// first bytes of its body share one write. The caller keeps the queue bounded.
pub trait Downstream {
    /// What is read at a time for a client that has not shown that it is fast: two TLS records.
    const AHEAD_BYTES: usize = 32 * 1024;

    /// The next piece of the request body; `None` at its end.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, ClientError>>;

    /// Ready when the client has gone. Watched once the request body has ended.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Nobody wants the rest of the request body. Where it is in the way of the next request and has
    /// not all come, the answer says that there will be none.
    fn drop_body(&mut self);

    /// Queues an interim response head (1xx).
    fn send_interim(&mut self, head: &ResponseHead);

    /// Queues the final response head.
    fn send_head(&mut self, head: &ResponseHead);

    /// Queues the head after which both directions are bytes of another protocol: the body goes on
    /// until the client ends its direction, and content is sent as it is. Where every exchange has
    /// a stream of its own that is what any head means (RFC 8441 §5).
    fn send_switch(&mut self, head: &ResponseHead) {
        self.send_head(head);
    }

    /// Queues response content.
    fn send_data(&mut self, data: Bytes);

    /// Queues the end of the response.
    fn send_end(&mut self, trailers: Option<&Fields>);

    /// Ends the response so that the client cannot take it for complete.
    fn abort(&mut self);

    /// Bytes queued that have not left yet.
    fn queued(&self) -> usize;

    /// Sends what is queued; ready when all of it has left.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>>;

    /// The timer of this exchange.
    fn timer(&mut self) -> &mut Timer;
}

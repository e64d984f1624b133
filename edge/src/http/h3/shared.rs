//! What the tasks of one connection share.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::rc::Rc;

use quinn::{Connection, SendStream, VarInt};
use tokio::sync::Notify;

use super::early::Established;
use crate::clock::coarse_ns;
use crate::limit::Offence;
use crate::message::Allowance;
use crate::message::h3::Error;
use crate::proxy::Service;
use crate::quic::SEND_WINDOW;

/// Requests that a client gave up before they were answered, and streams that mean nothing, beyond
/// requests that were answered: more is an attack (CVE-2023-44487 in its HTTP/3 form, RFC 9114 §10.5).
const IN_VAIN_MAX: u32 = 100;

/// Response bytes that a connection holds at least, acknowledged or not: what a small answer needs.
const SEND_WINDOW_MIN: u64 = 64 * 1024;

/// Codes of errors that only a client can cause: FLOW_CONTROL_ERROR to KEY_UPDATE_ERROR (RFC 9000 §20.1).
const CLIENTS_FAULT: RangeInclusive<u64> = 0x03..=0x0e;

/// A connection, as its streams see it.
pub(super) struct Shared {
    pub(super) connection: Connection,
    /// Where the client was in its handshake, which proved it. A connection moves with the first packet
    /// that comes from elsewhere, before anybody has answered from there (RFC 9000 §9.3): that says where
    /// packets go, and not who may do what.
    pub(super) addr: SocketAddr,
    pub(super) service: Rc<Service>,
    section_bytes_max: usize,
    /// Our control stream, once it is open.
    pub(super) control: RefCell<Option<SendStream>>,
    /// Which of the client's own streams there can be one of have been seen.
    pub(super) seen: Cell<Seen>,
    pub(super) streams: Rc<OpenStreams>,
    pub(super) established: Established,
    in_vain: Cell<u32>,
    /// Frames and instructions on the client's own streams.
    allowance: RefCell<Allowance>,
    /// What `quinn` was told last; 0 for nothing.
    send_window: Cell<u64>,
}

/// Control and QPACK streams of the client that were opened.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) control: bool,
    pub(super) encoder: bool,
    pub(super) decoder: bool,
}

impl Shared {
    pub(super) fn new(
        connection: Connection,
        addr: SocketAddr,
        service: Rc<Service>,
    ) -> Rc<Shared> {
        // What was said in SETTINGS holds for the whole connection.
        let section_bytes_max = service.current().bounds().head_bytes;
        Rc::new(Shared {
            connection,
            addr,
            service,
            section_bytes_max,
            control: RefCell::new(None),
            seen: Cell::new(Seen::default()),
            streams: Rc::default(),
            established: Established::default(),
            in_vain: Cell::new(0),
            allowance: RefCell::new(Allowance::new(coarse_ns())),
            send_window: Cell::new(0),
        })
    }

    /// Ends the connection, by an error of the client's or without one.
    pub(super) fn fail(&self, error: Error) {
        // Every stream breaks off when the connection is over, which is nobody's fault.
        if self.connection.close_reason().is_some() {
            return;
        }
        let offence = match error {
            Error::NoError | Error::Internal => None,
            Error::ExcessiveLoad => Some(Offence::Resets),
            _ => Some(Offence::Malformed),
        };
        if let Some(offence) = offence {
            self.offence(offence);
        }
        self.connection.close(VarInt::from_u32(error.code()), b"");
    }

    /// Takes note that QUIC itself has ended the connection with this code.
    pub(super) fn violated(&self, code: u64) {
        if CLIENTS_FAULT.contains(&code) {
            self.offence(Offence::Malformed);
        }
    }

    /// What came before the handshake was complete may be somebody else's packets once more.
    fn offence(&self, offence: Offence) {
        if self.established.is_set() {
            self.service.current().offence(self.addr.ip(), offence);
        }
    }

    /// The largest field section taken from the client.
    pub(super) fn section_bytes_max(&self) -> usize {
        self.section_bytes_max
    }

    /// Lets the connection hold twice what may be under way: enough to be ahead of the congestion
    /// controller, and little of a client that takes little.
    pub(super) fn fit_send_window(&self) {
        let wanted = self.connection.stats().path.cwnd.saturating_mul(2);
        let window = wanted
            .clamp(SEND_WINDOW_MIN, SEND_WINDOW)
            .next_multiple_of(SEND_WINDOW_MIN);
        if self.send_window.replace(window) != window {
            self.connection.set_send_window(window);
        }
    }

    /// Takes note of how a request ended.
    pub(super) fn ended(&self, answered: bool) {
        match answered {
            true => {
                self.in_vain.set(self.in_vain.get().saturating_sub(1));
                self.allowance.borrow_mut().head();
            }
            false => self.worked_in_vain(),
        }
    }

    /// Takes note of a frame or an instruction that is no part of a request: a client has a few of them to
    /// send, and each costs more than its bytes (RFC 9114 §10.5).
    pub(super) fn spend(&self) -> Result<(), Error> {
        let mut allowance = self.allowance.borrow_mut();
        allowance.passed(coarse_ns());
        match allowance.spend() {
            true => Ok(()),
            false => Err(Error::ExcessiveLoad),
        }
    }

    /// Takes note of work that nobody wanted done.
    pub(super) fn worked_in_vain(&self) {
        self.in_vain.set(self.in_vain.get() + 1);
        if self.in_vain.get() > IN_VAIN_MAX {
            self.fail(Error::ExcessiveLoad);
        }
    }
}

/// How many requests are open, and word when none is.
#[derive(Default)]
pub(super) struct OpenStreams {
    count: Cell<usize>,
    pub(super) idle: Notify,
}

impl OpenStreams {
    pub(super) fn count(&self) -> usize {
        self.count.get()
    }

    pub(super) fn open(self: &Rc<Self>, service: &Rc<Service>) -> OpenStream {
        self.count.set(self.count.get() + 1);
        service.metrics().quic.stream_opened();
        OpenStream(Rc::clone(self), Rc::clone(service))
    }
}

/// Counts a request as open until it is dropped, a panic included.
pub(super) struct OpenStream(Rc<OpenStreams>, Rc<Service>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.1.metrics().quic.stream_closed();
        let count = self.0.count.get() - 1;
        self.0.count.set(count);
        if count == 0 {
            self.0.idle.notify_one();
        }
    }
}

//! A client connection: reads, writes, watches for idleness and for the end.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::futures::Notified;

use super::core::{CONNECTION_WINDOW, Core, STREAM_WINDOW};
use super::receiver::{Fault, GOODBYE, Receiver, Request};
use super::settings::{Ours, WINDOW_DEFAULT};
use super::stream::Stream;
use crate::clock::{coarse_ns, monotonic_ns};
use crate::config::Timeouts;
use crate::limit::Offence;
use crate::message::SectionError;
use crate::message::h2::Code;
use crate::message::h2::frames::{PING, SETTINGS, WINDOW_UPDATE};
use crate::net::{self, Expect, Timer, Transport};
use crate::observe::Protocol;
use crate::proxy::{Drain, Exchange, Peer, Service};

/// A client is told that heads of so many times the bytes they may have are taken: what is too large
/// is better refused by an answer, which says so.
const OVERSIZE_TAKEN: usize = 2;
/// Requests a client may reset before their answers.
const GIVEN_UP_MAX: u64 = 100;
/// A client that has been told of the end is listened to for so long, and so much: closed with unread
/// bytes in it, a socket takes back what it was about to send (RFC 9113 §5.4.1).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 256 * 1024;
/// The highest number of a stream: no request is refused yet (§6.8).
const ANY_STREAM: u32 = (1 << 31) - 1;

/// Serves a client until either side is done with the connection.
pub async fn serve<T: Transport>(io: T, peer: Peer, service: Rc<Service>) {
    let bounds = *service.current().bounds();
    let timeouts = *service.current().timeouts();
    let now_ns = monotonic_ns();
    let mut connection = Connection {
        io,
        core: Core::new(),
        receiver: Receiver::new(&bounds),
        service: Rc::clone(&service),
        peer: Rc::new(peer),
        timeouts,
        requests_max: bounds.requests_per_connection,
        served: 0,
        phase: Phase::Beginning,
        since_ns: now_ns,
        within_since_ns: None,
        has_left: false,
        discarded: 0,
        timer: Timer::default(),
    };
    let ours = Ours {
        streams: bounds.streams,
        stream_window: STREAM_WINDOW,
        head_bytes: u32::try_from(bounds.head_bytes * OVERSIZE_TAKEN).unwrap_or(u32::MAX),
    };
    {
        let core = &mut *connection.core.borrow_mut();
        core.frame(SETTINGS, 0, 0, &ours.payload());
        let more = CONNECTION_WINDOW - WINDOW_DEFAULT as u32;
        core.frame(WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
    }
    let drain = service.drain();
    let mut draining = pin!(drain.dismissed());
    poll_fn(|cx| connection.poll(cx, drain, draining.as_mut())).await;
}

struct Connection<T> {
    io: T,
    core: Rc<RefCell<Core>>,
    receiver: Receiver,
    service: Rc<Service>,
    peer: Rc<Peer>,
    timeouts: Timeouts,
    requests_max: u64,
    served: u64,
    phase: Phase,
    /// When the phase began; of an idle connection, when it became idle.
    since_ns: u64,
    /// Since when a frame or a head has begun that is not whole.
    within_since_ns: Option<u64>,
    /// The last word has left.
    has_left: bool,
    /// Bytes that nobody listens to any more.
    discarded: usize,
    timer: Timer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The client has not said anything that is HTTP/2.
    Beginning,
    Serving,
    /// The client was told that the end is near, and opens no stream once it knows (§6.8).
    Leaving {
        is_known: bool,
    },
    /// Everything is said; what is still on its way from the client means nothing.
    Ending,
}

impl<T> Drop for Connection<T> {
    fn drop(&mut self) {
        self.core.borrow_mut().end();
    }
}

impl<T: Transport> Connection<T> {
    fn poll<'a>(
        &mut self,
        cx: &mut Context<'_>,
        drain: &'a Drain,
        draining: Pin<&mut Notified<'a>>,
    ) -> Poll<()> {
        self.core.borrow_mut().unwatch();
        if self.phase != Phase::Ending {
            if self.poll_input(cx).is_ready() {
                return Poll::Ready(());
            }
            let drained = drain.poll_leave(draining, cx, self.since_ns);
            if self.poll_leave(cx, drained).is_ready() {
                return Poll::Ready(());
            }
        }
        let core = Rc::clone(&self.core);
        let core = &mut *core.borrow_mut();
        let (bytes, flushed) = core.poll_flush(&mut self.io, cx);
        self.receiver.sent(bytes);
        core.watch(cx);
        match flushed {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ if self.phase != Phase::Ending => Poll::Pending,
            flushed => self.poll_ending(cx, flushed.is_ready()),
        }
    }

    /// Takes what comes; ready when nothing more can.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let core = Rc::clone(&self.core);
        // Who reads no answers is not asked for more to answer.
        while !core.borrow().is_behind() {
            let next = self.receiver.next(&mut core.borrow_mut());
            let may_have_more = matches!(next, Ok(Some(_)));
            match next {
                Ok(Some(request)) => self.admit(request),
                Ok(None) => {}
                Err(Fault::NoPreface) => return Poll::Ready(()),
                Err(fault) => self.fail(fault),
            }
            let given_up = core.borrow().given_up;
            // A habit: as many as a person's programs have no reason to give up, and most of all.
            if given_up >= GIVEN_UP_MAX && given_up * 2 > self.served {
                self.fail(Fault::Code(Code::EnhanceYourCalm));
            }
            if self.phase == Phase::Ending {
                break;
            }
            if may_have_more {
                continue;
            }
            match self.io.poll_recv(cx, Expect::Message) {
                Poll::Ready(Ok(bytes)) if !bytes.is_empty() => self.receiver.push(bytes),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }

    /// A request has come, or what should have been one.
    fn admit(&mut self, request: Request) {
        let proxy = self.service.current();
        self.served += 1;
        let admitted = request.head.map(|(key, head)| {
            let stream = Stream::new(Rc::clone(&self.core), key, &head);
            (stream, head)
        });
        if proxy.is_banned(&self.peer) {
            return self.end(Code::EnhanceYourCalm);
        }
        let error = match admitted {
            Ok((mut client, mut head)) => {
                let peer = Rc::clone(&self.peer);
                return net::spawn(async move {
                    let exchange = Exchange {
                        head: &mut head,
                        client: &mut client,
                        peer: &peer,
                    };
                    proxy.handle(exchange).await;
                    client.linger().await;
                });
            }
            Err(error) => error,
        };
        let status = match error {
            SectionError::Malformed => StatusCode::BAD_REQUEST,
            SectionError::Refused(status) => status,
        };
        let offence = Offence::of_refusal(status);
        proxy.refused(&self.peer, Protocol::H2, status, offence);
        if let SectionError::Refused(status) = error {
            let json = proxy.unreadable(status).filter(|_| !request.is_head);
            let core = &mut *self.core.borrow_mut();
            core.answer(request.stream, status, json.as_deref());
            if !request.ends_stream {
                core.refuse(request.stream, Code::NoError);
            }
        }
    }

    /// Watches the clock, and what was said about the end; ready when the connection is to be closed
    /// without another word.
    fn poll_leave(&mut self, cx: &mut Context<'_>, drained: bool) -> Poll<()> {
        let is_idle = self.core.borrow().is_idle();
        if !is_idle {
            self.since_ns = coarse_ns();
        }
        if self.phase == Phase::Beginning && self.receiver.has_begun() {
            self.phase = Phase::Serving;
        }
        let is_known = self.receiver.has_answered() || self.receiver.has_left();
        match self.phase {
            Phase::Serving if is_idle && is_known => self.say_goodbye(),
            Phase::Serving if is_idle && (drained || self.served >= self.requests_max) => {
                self.announce();
            }
            Phase::Leaving { is_known: false } if is_known => self.say_goodbye(),
            _ => {}
        }
        if is_idle && matches!(self.phase, Phase::Leaving { is_known: true }) {
            self.finish();
            return Poll::Pending;
        }
        let Some(deadline_ns) = self.deadline_ns(is_idle) else {
            return Poll::Pending;
        };
        if self.timer.poll(cx, deadline_ns).is_pending() {
            return Poll::Pending;
        }
        match self.phase {
            Phase::Beginning => return Poll::Ready(()),
            // Half a frame, for longer than a head may take.
            Phase::Serving if self.within_since_ns.is_some() => self.end(Code::NoError),
            Phase::Serving => {
                self.announce();
                cx.waker().wake_by_ref();
            }
            Phase::Leaving { .. } => self.finish(),
            Phase::Ending => {}
        }
        Poll::Pending
    }

    /// When something has to happen, if nothing else does.
    fn deadline_ns(&mut self, is_idle: bool) -> Option<u64> {
        let head_ns = self.timeouts.head.as_nanos() as u64;
        // What nobody has looked at yet is not the client's fault.
        let within = self.receiver.is_within_head() && !self.core.borrow().is_behind();
        let within_since_ns = within.then(|| *self.within_since_ns.get_or_insert_with(coarse_ns));
        self.within_since_ns = within_since_ns;
        match self.phase {
            Phase::Beginning => Some(self.since_ns + head_ns),
            Phase::Serving if within => within_since_ns.map(|since_ns| since_ns + head_ns),
            Phase::Serving if is_idle => Some(self.since_ns + self.timeouts.idle.as_nanos() as u64),
            Phase::Leaving { .. } if is_idle => Some(self.since_ns + head_ns),
            _ => None,
        }
    }

    /// Tells the client that the end is near. What it has sent before it knows is still answered
    /// (§6.8), and the answer to a PING tells when it knows.
    fn announce(&mut self) {
        let core = &mut *self.core.borrow_mut();
        core.goaway(ANY_STREAM, Code::NoError);
        core.frame(PING, 0, 0, GOODBYE);
        self.phase = Phase::Leaving { is_known: false };
        self.since_ns = monotonic_ns();
    }

    /// Takes no more requests.
    fn say_goodbye(&mut self) {
        let last = self.receiver.close();
        self.core.borrow_mut().goaway(last, Code::NoError);
        self.phase = Phase::Leaving { is_known: true };
        self.since_ns = monotonic_ns();
    }

    /// The client has done what it must not.
    fn fail(&mut self, fault: Fault) {
        let (code, offence) = match fault {
            Fault::NoPreface => (Code::ProtocolError, Offence::Malformed),
            Fault::Endless => (Code::EnhanceYourCalm, Offence::Oversize),
            Fault::Code(code @ Code::EnhanceYourCalm) => (code, Offence::Resets),
            Fault::Code(code) => (code, Offence::Malformed),
        };
        self.service.current().offence_of(&self.peer, offence);
        self.end(code);
    }

    /// Ends the connection, and all streams with it.
    fn end(&mut self, code: Code) {
        let last = self.receiver.close();
        {
            let core = &mut *self.core.borrow_mut();
            core.goaway(last, code);
            core.end();
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.io.finish();
        self.phase = Phase::Ending;
        self.since_ns = monotonic_ns();
        self.has_left = false;
    }

    /// Waits until the client has read what was said; ready when it has closed, or had its time.
    fn poll_ending(&mut self, cx: &mut Context<'_>, flushed: bool) -> Poll<()> {
        if flushed && !std::mem::replace(&mut self.has_left, true) {
            self.since_ns = monotonic_ns();
        }
        loop {
            match self.io.poll_recv(cx, Expect::Message) {
                Poll::Ready(Ok(bytes)) if !bytes.is_empty() => {
                    self.discarded += bytes.len();
                    if self.discarded > LINGER_BYTES_MAX {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        let patience = match flushed {
            true => LINGER,
            false => self.timeouts.head,
        };
        self.timer
            .poll(cx, self.since_ns + patience.as_nanos() as u64)
    }
}

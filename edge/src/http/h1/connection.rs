//! A client connection and its loop: head, exchange, next head.

use bytes::BytesMut;
use http::{Method, StatusCode};

use super::head::Next;
use super::linger::{close, linger};
use crate::message::h1::{self, BodyDecoder, HeadScan};
use crate::message::{BodyLength, Fields, Name, RequestHead, Version};
use crate::net::{Timer, Transport};
use crate::observe::Protocol;
use crate::proxy::{Drain, Exchange, Peer, Service, line, push_date};

/// Request content thrown away after an early answer so that the connection can live on; beyond it
/// a new connection is cheaper.
const DISCARD_BYTES_MAX: usize = 64 * 1024;

/// An HTTP/1.1 client connection.
pub(super) struct Connection<'a, T> {
    pub(super) io: T,
    pub(super) drain: &'a Drain,
    pub(super) input: BytesMut,
    pub(super) input_ended: bool,
    pub(super) scan: HeadScan,
    pub(super) timer: Timer,
    pub(super) head_bytes_max: usize,
    pub(super) head_fields_max: usize,
    /// Input kept while an exchange is under way: what a pipelining client sends ahead.
    pub(super) ahead_bytes_max: usize,
    pub(super) exchange: ExchangeState,
}

/// State of the exchange under way.
pub(super) struct ExchangeState {
    pub(super) version: Version,
    pub(super) is_head: bool,
    pub(super) keep_alive: bool,
    pub(super) expects_continue: bool,
    pub(super) body: BodyDecoder,
    pub(super) body_bad: bool,
    /// Both directions are bytes of another protocol.
    pub(super) switched: bool,
    pub(super) reply: ReplyState,
}

/// How far the reply has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyState {
    Waiting,
    /// The head is out; content follows in this framing.
    Body(BodyLength),
    Ended,
    Aborted,
}

/// Serves a client until either side is done with the connection.
pub async fn serve<T: Transport>(io: T, peer: &Peer, service: &Service) {
    let bounds = *service.current().bounds();
    let mut connection = Connection {
        io,
        drain: service.drain(),
        input: BytesMut::new(),
        input_ended: false,
        scan: HeadScan::default(),
        timer: Timer::default(),
        head_bytes_max: bounds.head_bytes,
        head_fields_max: bounds.head_fields,
        ahead_bytes_max: bounds.buffer_bytes,
        exchange: ExchangeState::idle(),
    };
    let mut served = 0;
    loop {
        match connection.next_head(service, served == 0).await {
            Next::Request(mut head, keep_alive) => {
                served += 1;
                let keep_alive = keep_alive && served < bounds.requests_per_connection;
                connection.begin(&head, keep_alive);
                let client = &mut connection;
                service
                    .current()
                    .handle(Exchange {
                        head: &mut head,
                        client,
                        peer,
                    })
                    .await;
                if !connection.settle() || service.current().is_banned(peer) {
                    break;
                }
            }
            Next::Refuse(status, offence) => {
                let proxy = service.current();
                proxy.refused(peer, Protocol::Http11, status, offence);
                connection.refuse(status, proxy.unreadable(status));
                break;
            }
            Next::Close => {
                close(&mut connection).await;
                return;
            }
        }
    }
    if connection.exchange.reply != ReplyState::Aborted {
        let send_timeout = service.current().timeouts().send;
        linger(&mut connection, send_timeout).await;
    }
}

impl<T: Transport> Connection<'_, T> {
    fn begin(&mut self, head: &RequestHead, keep_alive: bool) {
        self.exchange = ExchangeState {
            version: head.version,
            is_head: head.method == Method::HEAD,
            keep_alive,
            expects_continue: head.expects_continue,
            body: BodyDecoder::new(head.length, self.head_bytes_max),
            body_bad: false,
            switched: false,
            reply: ReplyState::Waiting,
        };
    }

    /// Whether the connection can carry another exchange after this one.
    fn settle(&mut self) -> bool {
        let exchange = &mut self.exchange;
        if exchange.reply != ReplyState::Ended || !exchange.keep_alive || exchange.body_bad {
            return false;
        }
        self.discard()
    }

    /// Throws away what has arrived of a body that nobody wants; more of it is not waited for. Whether
    /// that was all of it.
    pub(super) fn discard(&mut self) -> bool {
        let exchange = &mut self.exchange;
        let mut discarded = 0;
        while !exchange.body.is_ended() {
            let before = self.input.len();
            match exchange.body.decode(&mut self.input) {
                Ok(h1::Decoded::Data(data)) => discarded += data.len(),
                Ok(h1::Decoded::Trailers(_) | h1::Decoded::End) => {}
                Ok(h1::Decoded::More) | Err(_) => return false,
            }
            if discarded > DISCARD_BYTES_MAX || before == 0 {
                return false;
            }
        }
        true
    }

    fn refuse(&mut self, status: StatusCode, json: Option<String>) {
        let content_type = match json {
            Some(_) => "application/json",
            None => "text/plain; charset=utf-8",
        };
        let body = json.unwrap_or_else(|| line(status));
        let mut fields = Fields::default();
        fields.push_known(Name::ContentType, content_type.as_bytes());
        push_date(&mut fields);
        let out = self.io.out();
        let length = BodyLength::Exact(body.len() as u64);
        h1::response_head(out, status, &fields, Some(length), Some("close"));
        out.extend_from_slice(body.as_bytes());
    }
}

impl ExchangeState {
    fn idle() -> ExchangeState {
        ExchangeState {
            version: Version::Http11,
            is_head: false,
            keep_alive: true,
            expects_continue: false,
            body: BodyDecoder::new(BodyLength::Empty, 0),
            body_bad: false,
            switched: false,
            reply: ReplyState::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Socket;

    /// Thousands of quiet streams are held by their futures: this is where memory per stream goes.
    #[test]
    fn a_connection_is_small() {
        fn size<F>(_: impl FnOnce(Box<Socket>, &'static Peer, &'static Service) -> F) -> usize {
            size_of::<F>()
        }
        let bytes = size(serve);
        // Not optimised; 4 KiB when it is.
        assert!(bytes <= 4608, "{bytes} bytes");
    }
}

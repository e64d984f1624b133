//! Waiting for the next request head.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;

use super::connection::Connection;
use crate::clock::coarse_ns;
use crate::limit::Offence;
use crate::message::RequestHead;
use crate::message::h1::{self, HeadScan, RequestError};
use crate::net::{Expect, Transport};
use crate::proxy::Service;

/// What came of waiting.
pub(super) enum Next {
    /// A request, and whether its client lets the connection live on.
    Request(Box<RequestHead>, bool),
    /// Something that is not one: answer and close.
    Refuse(StatusCode, Option<Offence>),
    /// Nothing more: close.
    Close,
}

impl<T: Transport> Connection<'_, T> {
    /// The next head, within the deadlines for idle connections and slow heads.
    pub(super) async fn next_head(&mut self, service: &Service, first: bool) -> Next {
        self.scan = HeadScan::default();
        let timeouts = *service.current().timeouts();
        let start_ns = coarse_ns();
        let after = |timeout: Duration| start_ns + timeout.as_nanos() as u64;
        let idle_deadline_ns = after(if first { timeouts.head } else { timeouts.idle });
        let mut head_deadline_ns = (!self.input.is_empty()).then(|| after(timeouts.head));
        let drain = self.drain;
        let mut draining = pin!(drain.dismissed());
        poll_fn(|cx| {
            loop {
                if let Some(next) = self.take_head() {
                    return Poll::Ready(next);
                }
                if self.input_ended {
                    return Poll::Ready(Next::Close);
                }
                match self.poll_more(cx) {
                    Poll::Ready(true) => {
                        head_deadline_ns
                            .get_or_insert_with(|| coarse_ns() + timeouts.head.as_nanos() as u64);
                        continue;
                    }
                    Poll::Ready(false) => return Poll::Ready(Next::Close),
                    Poll::Pending => {}
                }
                let idle = self.input.is_empty();
                let drained = drain.poll_leave(draining.as_mut(), cx, start_ns);
                if idle && drained {
                    return Poll::Ready(Next::Close);
                }
                let deadline_ns = head_deadline_ns.unwrap_or(idle_deadline_ns);
                return match self.timer.poll(cx, deadline_ns) {
                    Poll::Ready(()) if idle => Poll::Ready(Next::Close),
                    Poll::Ready(()) => Poll::Ready(Next::Refuse(StatusCode::REQUEST_TIMEOUT, None)),
                    Poll::Pending => Poll::Pending,
                };
            }
        })
        .await
    }

    /// Judges what has arrived so far.
    fn take_head(&mut self) -> Option<Next> {
        if self.input.is_empty() {
            return None;
        }
        let Ok(end) = self.scan.end_of_head(&self.input) else {
            return Some(Next::Refuse(
                StatusCode::BAD_REQUEST,
                Some(Offence::Malformed),
            ));
        };
        if end.unwrap_or(self.input.len()) > self.head_bytes_max {
            let status = match self.scan.first_line_exceeds(self.head_bytes_max) {
                true => StatusCode::URI_TOO_LONG,
                false => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            };
            return Some(Next::Refuse(status, Some(Offence::Oversize)));
        }
        let outcome = match end {
            None => match h1::check_partial(&self.input) {
                Ok(()) => return None,
                Err(error) => Err(error),
            },
            Some(end) => {
                let head = self.input.split_to(end);
                h1::parse_request(&head, self.head_fields_max)
            }
        };
        Some(match outcome {
            Ok((head, keep_alive)) => Next::Request(Box::new(head), keep_alive),
            Err(error) => Next::Refuse(error.status(), offence(&error)),
        })
    }

    /// Reads on; `false` at the end of the connection.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        // A response may still be on its way out while the next request is waited for.
        if let Poll::Ready(Err(_)) = self.io.poll_flush(cx) {
            return Poll::Ready(false);
        }
        self.io
            .poll_recv(cx, Expect::Message)
            .map(|outcome| match outcome {
                Ok(chunk) if !chunk.is_empty() => {
                    self.append(chunk);
                    true
                }
                _ => false,
            })
    }
}

/// What counts against the client. Versions and codings that this server does not speak are no
/// attack.
fn offence(error: &RequestError) -> Option<Offence> {
    match error {
        RequestError::Version | RequestError::TransferCoding => None,
        RequestError::Framing(_) => Some(Offence::Smuggling),
        RequestError::TooManyFields => Some(Offence::Oversize),
        RequestError::Syntax(_) | RequestError::Target(_) | RequestError::Host => {
            Some(Offence::Malformed)
        }
    }
}

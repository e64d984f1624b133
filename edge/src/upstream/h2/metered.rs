//! A channel that is given up when its server sends too many frames that carry nothing.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use crate::clock::coarse_ns;
use crate::message::Allowance;
use crate::message::h2::frames::Frames;
use crate::net::{Expect, Transport};
use crate::upstream::channel::Channel;

/// The server's side of a connection.
pub(super) struct Metered {
    channel: Channel,
    frames: Frames,
    allowance: Allowance,
}

impl Metered {
    pub(super) fn new(channel: Channel) -> Metered {
        Metered {
            channel,
            frames: Frames::default(),
            allowance: Allowance::new(coarse_ns()),
        }
    }

    fn is_within(&mut self, mut received: &[u8]) -> bool {
        self.allowance.passed(coarse_ns());
        while let Some(frame) = self.frames.next(&mut received) {
            if !self.allowance.take(frame.kind, frame.length) {
                return false;
            }
        }
        true
    }
}

impl Transport for Metered {
    fn poll_recv(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<BytesMut>> {
        let received = ready!(self.channel.poll_recv(cx, expect))?;
        Poll::Ready(match self.is_within(&received) {
            true => Ok(received),
            // `h2` reads no more of a connection that has failed.
            false => Err(io::Error::other("too many frames that carry nothing")),
        })
    }

    fn send(&mut self, data: &[u8]) {
        self.allowance.sent(data.len());
        self.channel.send(data);
    }

    fn out(&mut self) -> &mut BytesMut {
        self.channel.out()
    }

    fn queued(&self) -> usize {
        self.channel.queued()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.poll_flush(cx)
    }

    fn reset(&mut self) {
        self.channel.reset();
    }

    fn finish(&mut self) {
        self.channel.finish();
    }
}

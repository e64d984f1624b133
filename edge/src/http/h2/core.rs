//! What the tasks of one connection share: its streams, the windows of both sides, and the frames that
//! go out.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::content::Content;
use super::input::ACK;
use super::sending::OUT_KEPT;
use super::settings::{Setting, WINDOW_DEFAULT, WINDOW_MAX};
use crate::copying::pieces;
use crate::message::h2::frames::{FrameHead, GOAWAY, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE};
use crate::message::h2::{Code, Encoder};
use crate::net::Transport;

/// Window for request content per stream: a JSON-RPC message arrives in one go.
pub(super) const STREAM_WINDOW: u32 = 256 * 1024;
/// Window for request content of the whole connection.
pub(super) const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// A connection, as all its tasks see it.
pub(super) struct Core {
    /// Frames that the connection's task has not taken yet.
    pub(super) out: Vec<u8>,
    /// Bytes that it has taken, and the kernel has not.
    pub(super) beneath: usize,
    pub(super) encoder: Encoder,
    streams: Slab<Half>,
    /// Their numbers, in order, and where they are.
    places: VecDeque<(u32, usize)>,
    /// Those of which neither side has ended both directions (RFC 9113 §5.1.2).
    open: usize,
    /// Content that the client has room for.
    pub(super) window: i64,
    pub(super) frame_bytes_max: usize,
    pub(super) initial_window: i64,
    /// Content that the client may still send, and what of it has moved on since it was told.
    room: i64,
    unclaimed: u32,
    /// Streams that wait for room in `out` or in the window of the connection, in order.
    pub(super) waiting: VecDeque<usize>,
    /// How many of those were told that there is some, and have not looked yet.
    pub(super) offered: usize,
    /// Requests that were reset before an answer to them had begun.
    pub(super) given_up: u64,
    is_over: bool,
    task: Option<Waker>,
}

/// Our half of a stream.
pub(super) struct Half {
    pub(super) id: u32,
    pub(super) content: Content,
    /// Content that the client has room for.
    pub(super) window: i64,
    pub(super) has_head: bool,
    pub(super) has_ended: bool,
    /// Reset by either side, or its connection is over.
    pub(super) is_reset: bool,
    pub(super) is_waiting: bool,
    pub(super) is_offered: bool,
    is_open: bool,
    task: Option<Waker>,
}

impl Half {
    /// Has the stream's task woken when anything changes.
    pub(super) fn watch(&mut self, cx: &Context<'_>) {
        watch(&mut self.task, cx);
    }

    pub(super) fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }
}

fn watch(task: &mut Option<Waker>, cx: &Context<'_>) {
    if !task
        .as_ref()
        .is_some_and(|known| known.will_wake(cx.waker()))
    {
        *task = Some(cx.waker().clone());
    }
}

impl Core {
    pub(super) fn new() -> Rc<RefCell<Core>> {
        Rc::new(RefCell::new(Core {
            out: Vec::new(),
            beneath: 0,
            encoder: Encoder::default(),
            streams: Slab::new(),
            places: VecDeque::new(),
            open: 0,
            window: WINDOW_DEFAULT,
            frame_bytes_max: 1 << 14,
            initial_window: WINDOW_DEFAULT,
            room: CONNECTION_WINDOW.into(),
            unclaimed: 0,
            waiting: VecDeque::new(),
            offered: 0,
            given_up: 0,
            is_over: false,
            task: None,
        }))
    }

    // Streams.

    /// Streams that count against the bound on them.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Whether no task of a stream is left.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// A request has come; its number is higher than all others.
    pub(super) fn insert(&mut self, id: u32, content: Content) -> usize {
        let key = self.streams.insert(Half {
            id,
            content,
            window: self.initial_window,
            has_head: false,
            has_ended: false,
            is_reset: self.is_over,
            is_waiting: false,
            is_offered: false,
            is_open: true,
            task: None,
        });
        self.open += 1;
        self.places.push_back((id, key));
        key
    }

    pub(super) fn half(&mut self, key: usize) -> &mut Half {
        &mut self.streams[key]
    }

    /// The stream of that number, if its task is still there and it was not reset.
    pub(super) fn find(&mut self, id: u32) -> Option<(usize, &mut Half)> {
        let place = self.places.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let key = self.places[place].1;
        let half = &mut self.streams[key];
        (!half.is_reset).then_some((key, half))
    }

    /// The task of a stream has ended; what it has left open is reset.
    pub(super) fn remove(&mut self, key: usize) {
        let half = &self.streams[key];
        match (half.has_ended, half.content.has_ended()) {
            _ if half.is_reset => {}
            (true, true) => {}
            // §8.1: an answer that needs no more of the request.
            (true, false) => self.reset(key, Code::NoError),
            (false, _) => self.reset(key, Code::InternalError),
        }
        self.settle(key);
        self.leave(key);
        let half = self.streams.remove(key);
        if let Ok(place) = self.places.binary_search_by_key(&half.id, |(id, _)| *id) {
            self.places.remove(place);
        }
        self.claim(half.content.held());
        self.wake();
    }

    /// Counts a stream as closed once it is.
    pub(super) fn settle(&mut self, key: usize) {
        let half = &mut self.streams[key];
        let is_closed = half.is_reset || (half.has_ended && half.content.has_ended());
        if is_closed && std::mem::replace(&mut half.is_open, false) {
            self.open -= 1;
        }
    }

    /// Ends a stream at once, by our will.
    pub(super) fn reset(&mut self, key: usize, code: Code) {
        let half = &mut self.streams[key];
        if std::mem::replace(&mut half.is_reset, true) {
            return;
        }
        half.wake();
        let id = half.id;
        self.settle(key);
        self.refuse(id, code);
    }

    /// Says so, of a stream that need not be there.
    pub(super) fn refuse(&mut self, id: u32, code: Code) {
        self.frame(RST_STREAM, 0, id, &code.bytes());
    }

    /// The client has reset a stream.
    pub(super) fn given_up(&mut self, id: u32) {
        let Some((key, half)) = self.find(id) else {
            return;
        };
        half.is_reset = true;
        half.wake();
        let in_vain = !half.has_head;
        self.settle(key);
        self.given_up += u64::from(in_vain);
    }

    /// The connection is over, and so is every stream.
    pub(super) fn end(&mut self) {
        self.is_over = true;
        for (_, half) in &mut self.streams {
            half.is_reset = true;
            half.wake();
        }
    }

    // Windows.

    /// Content has come; whether there was room for it.
    pub(super) fn received(&mut self, bytes: usize) -> Result<(), Code> {
        self.room -= bytes as i64;
        (self.room >= 0).then_some(()).ok_or(Code::FlowControlError)
    }

    /// Content has moved on: the client may send as much again.
    pub(super) fn claim(&mut self, bytes: usize) {
        // No more than the window, which is far less.
        self.unclaimed += bytes as u32;
        if self.unclaimed >= CONNECTION_WINDOW / 2 {
            let increment = std::mem::take(&mut self.unclaimed);
            self.room += i64::from(increment);
            self.frame(WINDOW_UPDATE, 0, 0, &increment.to_be_bytes());
        }
    }

    /// The same, of a stream.
    pub(super) fn claim_of(&mut self, key: usize, bytes: usize) {
        let half = &mut self.streams[key];
        let id = half.id;
        if let Some(increment) = half.content.claim(bytes).filter(|_| !half.is_reset) {
            self.frame(WINDOW_UPDATE, 0, id, &increment.to_be_bytes());
        }
        self.claim(bytes);
    }

    /// The client has room for more on the connection.
    pub(super) fn widen(&mut self, increment: u32) -> Result<(), Code> {
        self.window += i64::from(increment);
        match (increment, self.window) {
            (0, _) => Err(Code::ProtocolError),
            (_, ..=WINDOW_MAX) => Ok(()),
            _ => Err(Code::FlowControlError),
        }
    }

    /// The client has room for more on a stream.
    pub(super) fn widen_of(&mut self, key: usize, increment: u32) -> Result<(), Code> {
        let half = &mut self.streams[key];
        half.window += i64::from(increment);
        half.wake();
        match (increment, half.window) {
            (0, _) => Err(Code::ProtocolError),
            (_, ..=WINDOW_MAX) => Ok(()),
            _ => Err(Code::FlowControlError),
        }
    }

    /// A wish of the client.
    pub(super) fn apply(&mut self, setting: Setting) -> Result<(), Code> {
        match setting {
            Setting::HeaderTable(bytes) => self.encoder.resize(bytes),
            Setting::FrameBytes(bytes) => self.frame_bytes_max = bytes,
            // §6.9.2: streams that are there change by the difference.
            Setting::InitialWindow(window) => {
                let more = window - std::mem::replace(&mut self.initial_window, window);
                for (_, half) in &mut self.streams {
                    half.window += more;
                    half.wake();
                    if half.window > WINDOW_MAX {
                        return Err(Code::FlowControlError);
                    }
                }
            }
        }
        Ok(())
    }

    // Frames.

    /// Appends a frame and has it sent.
    pub(super) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let head = FrameHead {
            kind,
            flags,
            stream,
            length: payload.len(),
        };
        self.out.extend_from_slice(&head.bytes());
        self.out.reserve(payload.len());
        pieces(payload).for_each(|piece| self.out.extend_from_slice(piece));
        self.wake();
    }

    pub(super) fn goaway(&mut self, last: u32, code: Code) {
        let payload = [last.to_be_bytes(), code.bytes()].concat();
        self.frame(GOAWAY, 0, 0, &payload);
    }

    pub(super) fn pong(&mut self, payload: &[u8]) {
        self.frame(PING, ACK, 0, payload);
    }

    pub(super) fn acknowledge_settings(&mut self) {
        self.frame(SETTINGS, ACK, 0, &[]);
    }

    // The connection's task.

    /// Has the connection's task woken by what streams do.
    pub(super) fn watch(&mut self, cx: &Context<'_>) {
        watch(&mut self.task, cx);
    }

    /// What the connection's task does itself need not wake it.
    pub(super) fn unwatch(&mut self) {
        self.task = None;
    }

    pub(super) fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// Hands what goes out to the kernel, and the room that there is then to those who wait for it. How
    /// many bytes went, and whether all have left.
    pub(super) fn poll_flush<T: Transport>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> (usize, Poll<std::io::Result<()>>) {
        let bytes = self.out.len();
        if bytes > 0 {
            io.send(&self.out);
            self.out.clear();
        }
        let flushed = io.poll_flush(cx);
        // Of a client that does not read this would be all that has happened for long.
        if flushed.is_pending() || bytes <= OUT_KEPT {
            self.out.shrink_to(OUT_KEPT);
        }
        self.beneath = io.queued();
        self.offer();
        (bytes, flushed)
    }
}

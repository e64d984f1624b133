//! io_uring transport: sockets, buffers, deadlines, the worker's runtime. The only place that names
//! `tokio_uring`.
//!
//! An operation owns its buffer and its descriptor until the kernel has completed it, so dropping a
//! future does not end it: a stream socket that goes away shuts its descriptor down, which completes
//! whatever is still under way, and a look whether a datagram socket is ready is cancelled.

mod appetite;
mod beneath;
mod file;
mod listener;
mod op;
mod options;
mod packet;
mod poll_io;
mod quic_runtime;
mod ring;
mod runtime;
mod socket;
mod timer;
mod transport;
mod udp;
mod urgency;

pub use appetite::Appetite;
pub use beneath::{FileRead, OpenFile};
pub use file::SpoolFile;
pub use listener::{Accepted, Listener};
pub use op::unawaited;
pub use options::{bind_listener, connect};
pub use packet::{packet_pair, recv_packet, send_packet};
pub use poll_io::PollIo;
pub use quic_runtime::QuicRuntime;
pub use runtime::{pin_to_cpu, probe_ring, run_worker, spawn, spawn_held, turn};
pub use socket::{HangUp, Socket};
pub use timer::{Elapsed, Interval, Timer, sleep, timeout};
pub use transport::{Expect, Transport};
pub use udp::{UdpCounts, UdpSocket, bind_udp};
pub use urgency::{Patient, Urgent, event_passed};

//! What workers have the ring do.

use std::cell::Cell;
use std::ffi::CString;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use io_uring::types::{Fd, OpenHow};
use io_uring::{opcode, squeue};
use socket2::{SockAddr, SockAddrStorage};
use tokio_uring::buf::{IoBuf, IoBufMut};

use super::ring::{Operation, Work, completes_at_once, hurry};

/// A send, receive, read or write in flight; resolves to the outcome and the buffer.
pub(super) type Transfer = Operation<Transferring>;
/// An accept in flight.
pub(super) type Accept = Operation<Accepting>;
/// The opening of a file in flight.
pub(super) type Open = Operation<Opening>;
/// A connect in flight.
pub(super) type Connect = Operation<Connecting>;
/// A look whether a socket is ready.
pub(super) type Ready = Operation<Waiting>;

/// So much the kernel takes at once from whoever has not sent much before.
const LITTLE_BYTES: usize = 16 * 1024;

thread_local! {
    static IS_AWAITED: Cell<bool> = const { Cell::new(true) };
}

/// Begins sends whose end its caller does not wait for: it waits for something else that comes later,
/// and looks then. A busy worker need not wake for them.
pub fn unawaited<T>(begin: impl FnOnce() -> T) -> T {
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            IS_AWAITED.set(true);
        }
    }
    let _again = Again;
    IS_AWAITED.set(false);
    begin()
}

/// Whether bytes are likely to be there when a receive starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// They are: read at once.
    Now,
    /// They are not: wait for the socket first and save the attempt that would find nothing.
    Later,
}

/// What a datagram socket is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Readable,
    Writable,
}

/// Starts to receive into the spare capacity of an empty `buf`.
pub(super) fn recv(fd: &Rc<OwnedFd>, mut buf: BytesMut, arrival: Arrival) -> Transfer {
    debug_assert!(buf.is_empty(), "RECV fills a buffer from its start");
    let len = bounded(buf.bytes_total());
    let mut entry = opcode::Recv::new(Fd(fd.as_raw_fd()), buf.stable_mut_ptr(), len).build();
    if arrival == Arrival::Later {
        wait_first(&mut entry);
    }
    transfer(fd, buf, true, entry)
}

/// Sets `IORING_RECVSEND_POLL_FIRST` (io_uring_enter(2), since Linux 5.19), for which this version
/// of `io-uring` has no setter.
fn wait_first(entry: &mut squeue::Entry) {
    const POLL_FIRST: u16 = 1;
    const _: () = assert!(size_of::<squeue::Entry>() == 64 && align_of::<squeue::Entry>() >= 2);
    // SAFETY: an entry is `struct io_uring_sqe`, whose second 16-bit word is `ioprio`: the flags of
    // a receive. Nothing else refers to the entry while it is borrowed mutably.
    unsafe { (&raw mut *entry).cast::<u16>().add(1).write(POLL_FIRST) };
}

/// Starts to send the content of `buf`; may send less.
pub(super) fn send(fd: &Rc<OwnedFd>, buf: BytesMut) -> Transfer {
    let is_swift = buf.len() <= LITTLE_BYTES && !IS_AWAITED.get();
    let entry = opcode::Send::new(Fd(fd.as_raw_fd()), buf.stable_ptr(), bounded(buf.len()))
        .flags(libc::MSG_NOSIGNAL)
        .build();
    let sending = transfer(fd, buf, false, entry);
    match is_swift {
        true => completes_at_once(),
        false => hurry(),
    }
    sending
}

/// Starts to read `len` bytes of a file from `at` into an empty `buf`; may read less.
pub(super) fn read(fd: &Rc<OwnedFd>, mut buf: BytesMut, len: usize, at: u64) -> Transfer {
    debug_assert!(buf.is_empty(), "READ fills a buffer from its start");
    let len = bounded(len.min(buf.bytes_total()));
    let entry = opcode::Read::new(Fd(fd.as_raw_fd()), buf.stable_mut_ptr(), len)
        .offset(at)
        .build();
    transfer(fd, buf, true, entry)
}

/// Starts to write the content of `buf` to a file at `at`; may write less.
pub(super) fn write(fd: &Rc<OwnedFd>, buf: BytesMut, at: u64) -> Transfer {
    let entry = opcode::Write::new(Fd(fd.as_raw_fd()), buf.stable_ptr(), bounded(buf.len()))
        .offset(at)
        .build();
    transfer(fd, buf, false, entry)
}

/// Starts to open a file for reading below a directory and nowhere else.
pub(super) fn open_beneath(directory: &Arc<OwnedFd>, path: CString) -> Open {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
    let how = OpenHow::new()
        .flags(flags as u64)
        .resolve(libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS);
    let opening = Opening {
        directory: Arc::clone(directory),
        path,
        how: Box::new(how),
    };
    let fd = Fd(opening.directory.as_raw_fd());
    let entry = opcode::OpenAt2::new(fd, opening.path.as_ptr(), &raw const *opening.how).build();
    // SAFETY: the path and the mode are on the heap.
    unsafe { Operation::submit(opening, entry) }
}

/// Starts to accept one connection.
pub(super) fn accept(fd: &Rc<OwnedFd>) -> Accept {
    let mut peer = Box::new(PeerAddr {
        len: size_of::<SockAddrStorage>() as libc::socklen_t,
        storage: SockAddrStorage::zeroed(),
    });
    let (addr, len) = (&raw mut peer.storage, &raw mut peer.len);
    let entry = opcode::Accept::new(Fd(fd.as_raw_fd()), addr.cast(), len)
        .flags(libc::SOCK_CLOEXEC)
        .build();
    let accepting = Accepting {
        _fd: Rc::clone(fd),
        peer,
    };
    // SAFETY: the address is on the heap.
    unsafe { Operation::submit(accepting, entry) }
}

/// Starts to connect.
pub(super) fn connect(fd: &Rc<OwnedFd>, addr: SockAddr) -> Connect {
    let addr = Box::new(addr);
    let entry = opcode::Connect::new(Fd(fd.as_raw_fd()), addr.as_ptr().cast(), addr.len()).build();
    let connecting = Connecting {
        _fd: Rc::clone(fd),
        _addr: addr,
    };
    // SAFETY: the address is on the heap.
    unsafe { Operation::submit(connecting, entry) }
}

/// Starts to wait for a datagram socket; errors count as readiness, and the next call has them.
pub(super) fn ready(socket: &Arc<UdpSocket>, readiness: Readiness) -> Ready {
    let events = match readiness {
        Readiness::Readable => libc::POLLIN,
        Readiness::Writable => libc::POLLOUT,
    };
    let entry = opcode::PollAdd::new(Fd(socket.as_raw_fd()), events as u32).build();
    // SAFETY: the entry points to nothing.
    unsafe { Operation::submit(Waiting(Arc::clone(socket)), entry) }
}

fn transfer(fd: &Rc<OwnedFd>, buf: BytesMut, receiving: bool, entry: squeue::Entry) -> Transfer {
    let transferring = Transferring {
        _fd: Rc::clone(fd),
        buf,
        receiving,
    };
    // SAFETY: `IoBuf` says that the bytes stay where they are, and nobody else has the buffer.
    unsafe { Operation::submit(transferring, entry) }
}

fn bounded(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

pub(super) struct Transferring {
    _fd: Rc<OwnedFd>,
    buf: BytesMut,
    receiving: bool,
}

impl Work for Transferring {
    type Output = (io::Result<usize>, BytesMut);

    fn finish(self, outcome: io::Result<u32>) -> Self::Output {
        let mut buf = self.buf;
        let outcome = outcome.map(|n| n as usize);
        if let (Ok(n), true) = (&outcome, self.receiving) {
            // SAFETY: the kernel wrote `n` bytes from the start of the buffer, at most its capacity.
            unsafe { buf.set_init(*n) };
        }
        (outcome, buf)
    }
}

pub(super) struct Accepting {
    _fd: Rc<OwnedFd>,
    peer: Box<PeerAddr>,
}

/// Address of an accepted peer, as the kernel fills it in.
struct PeerAddr {
    len: libc::socklen_t,
    storage: SockAddrStorage,
}

impl Work for Accepting {
    type Output = io::Result<(OwnedFd, SockAddr)>;

    fn finish(self, outcome: io::Result<u32>) -> Self::Output {
        let fd = opened(outcome)?;
        let PeerAddr { storage, len } = *self.peer;
        // SAFETY: the kernel wrote an address of `len` bytes into the storage.
        Ok((fd, unsafe { SockAddr::new(storage, len) }))
    }
}

/// What the kernel reads while it opens a file.
pub(super) struct Opening {
    directory: Arc<OwnedFd>,
    path: CString,
    how: Box<OpenHow>,
}

impl Work for Opening {
    type Output = io::Result<OwnedFd>;

    fn finish(self, outcome: io::Result<u32>) -> Self::Output {
        opened(outcome)
    }
}

pub(super) struct Connecting {
    _fd: Rc<OwnedFd>,
    _addr: Box<SockAddr>,
}

impl Work for Connecting {
    type Output = io::Result<()>;

    fn finish(self, outcome: io::Result<u32>) -> Self::Output {
        outcome.map(|_| ())
    }
}

pub(super) struct Waiting(#[allow(dead_code, reason = "kept open")] Arc<UdpSocket>);

impl Work for Waiting {
    type Output = io::Result<()>;

    /// Or the socket would stay open, and its address taken.
    const CANCEL: bool = true;

    fn finish(self, outcome: io::Result<u32>) -> Self::Output {
        outcome.map(|_| ())
    }
}

fn opened(outcome: io::Result<u32>) -> io::Result<OwnedFd> {
    let fd = outcome? as libc::c_int;
    // SAFETY: a successful ACCEPT or OPENAT2 returns a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

//! Ring operations on descriptors of our own.
//!
//! `tokio_uring`'s socket types use READ and WRITE and box their futures when stored; these use
//! RECV and SEND and are plain structs that a connection can hold.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use io_uring::types::{Fd, OpenHow};
use io_uring::{cqueue, opcode, squeue};
use socket2::{SockAddr, SockAddrStorage};
use tokio_uring::{InFlightOneshot, OneshotOutputTransform, UnsubmittedOneshot};

/// A send or receive in flight; resolves to the outcome and the buffer.
pub(super) type Transfer = InFlightOneshot<Held<BytesMut>, Transferred>;
/// An accept in flight.
pub(super) type Accept = InFlightOneshot<Held<Box<PeerAddr>>, Connected>;
/// The opening of a file in flight.
pub(super) type Open = InFlightOneshot<Opening, Opened>;
/// A connect in flight.
pub(super) type Connect = InFlightOneshot<Held<Box<SockAddr>>, Done>;

/// What the kernel works on while an operation is in flight: kept alive until it completes, even
/// when nobody waits for it any more.
pub(super) struct Held<T> {
    fd: Rc<OwnedFd>,
    data: T,
}

/// Whether bytes are likely to be there when a receive starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// They are: read at once.
    Now,
    /// They are not: wait for the socket first and save the attempt that would find nothing.
    Later,
}

/// Starts to receive into the spare capacity of an empty `buf`.
pub(super) fn recv(fd: &Rc<OwnedFd>, mut buf: BytesMut, arrival: Arrival) -> Transfer {
    debug_assert!(buf.is_empty(), "RECV fills a buffer from its start");
    let len = u32::try_from(buf.capacity()).unwrap_or(u32::MAX);
    let mut entry = opcode::Recv::new(Fd(fd.as_raw_fd()), buf.as_mut_ptr(), len).build();
    if arrival == Arrival::Later {
        wait_first(&mut entry);
    }
    submit(fd, buf, Transferred { receiving: true }, entry)
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
    let len = u32::try_from(buf.len()).unwrap_or(u32::MAX);
    let entry = opcode::Send::new(Fd(fd.as_raw_fd()), buf.as_ptr(), len)
        .flags(libc::MSG_NOSIGNAL)
        .build();
    submit(fd, buf, Transferred { receiving: false }, entry)
}

/// Starts to read `len` bytes of a file from `at` into an empty `buf`; may read less.
pub(super) fn read(fd: &Rc<OwnedFd>, mut buf: BytesMut, len: usize, at: u64) -> Transfer {
    debug_assert!(buf.is_empty(), "READ fills a buffer from its start");
    let len = u32::try_from(len.min(buf.capacity())).unwrap_or(u32::MAX);
    let entry = opcode::Read::new(Fd(fd.as_raw_fd()), buf.as_mut_ptr(), len)
        .offset(at)
        .build();
    submit(fd, buf, Transferred { receiving: true }, entry)
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
    UnsubmittedOneshot::new(opening, Opened, entry).submit()
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
    submit(fd, peer, Connected, entry)
}

/// Starts to connect.
pub(super) fn connect(fd: &Rc<OwnedFd>, addr: SockAddr) -> Connect {
    let addr = Box::new(addr);
    let entry = opcode::Connect::new(Fd(fd.as_raw_fd()), addr.as_ptr().cast(), addr.len()).build();
    submit(fd, addr, Done, entry)
}

fn submit<T, D>(
    fd: &Rc<OwnedFd>,
    data: T,
    done: D,
    entry: squeue::Entry,
) -> InFlightOneshot<Held<T>, D>
where
    D: OneshotOutputTransform<StoredData = Held<T>>,
{
    UnsubmittedOneshot::new(
        Held {
            fd: Rc::clone(fd),
            data,
        },
        done,
        entry,
    )
    .submit()
}

/// Address of an accepted peer, as the kernel fills it in.
pub(super) struct PeerAddr {
    len: libc::socklen_t,
    storage: SockAddrStorage,
}

/// What the kernel reads while it opens a file.
pub(super) struct Opening {
    directory: Arc<OwnedFd>,
    path: CString,
    how: Box<OpenHow>,
}

pub(super) struct Opened;

impl OneshotOutputTransform for Opened {
    type Output = io::Result<OwnedFd>;
    type StoredData = Opening;

    fn transform_oneshot_output(self, _opening: Opening, cqe: cqueue::Entry) -> Self::Output {
        let fd = outcome(&cqe)?;
        // SAFETY: a successful OPENAT2 returns a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
    }
}

pub(super) struct Transferred {
    receiving: bool,
}

impl OneshotOutputTransform for Transferred {
    type Output = (io::Result<usize>, BytesMut);
    type StoredData = Held<BytesMut>;

    fn transform_oneshot_output(self, held: Held<BytesMut>, cqe: cqueue::Entry) -> Self::Output {
        let mut buf = held.data;
        let outcome = outcome(&cqe);
        if let (Ok(n), true) = (&outcome, self.receiving) {
            // SAFETY: the kernel wrote `n` bytes from the start of the buffer, at most its capacity.
            unsafe { buf.set_len(*n) };
        }
        drop(held.fd);
        (outcome, buf)
    }
}

pub(super) struct Connected;

impl OneshotOutputTransform for Connected {
    type Output = io::Result<(OwnedFd, SockAddr)>;
    type StoredData = Held<Box<PeerAddr>>;

    fn transform_oneshot_output(
        self,
        held: Held<Box<PeerAddr>>,
        cqe: cqueue::Entry,
    ) -> Self::Output {
        let fd = outcome(&cqe)?;
        // SAFETY: a successful ACCEPT returns a new descriptor that nobody else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) };
        let PeerAddr { storage, len } = *held.data;
        // SAFETY: the kernel wrote an address of `len` bytes into the storage.
        Ok((fd, unsafe { SockAddr::new(storage, len) }))
    }
}

pub(super) struct Done;

impl OneshotOutputTransform for Done {
    type Output = io::Result<()>;
    type StoredData = Held<Box<SockAddr>>;

    fn transform_oneshot_output(
        self,
        _held: Held<Box<SockAddr>>,
        cqe: cqueue::Entry,
    ) -> Self::Output {
        outcome(&cqe).map(|_| ())
    }
}

fn outcome(cqe: &cqueue::Entry) -> io::Result<usize> {
    usize::try_from(cqe.result()).map_err(|_| io::Error::from_raw_os_error(-cqe.result()))
}

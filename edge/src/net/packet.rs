//! Packets with descriptors between two processes (unix(7), SCM_RIGHTS).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};

/// No packet is longer: a path and a little around it.
const PACKET_BYTES_MAX: usize = 16 * 1024;

/// Two ends of a connection that keeps packets apart.
pub fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?)
}

/// Sends one packet and a copy of a descriptor with it.
pub fn send_packet(
    socket: impl AsFd,
    packet: &[u8],
    passed: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    if packet.len() > PACKET_BYTES_MAX {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let passed = passed.map(|fd| [fd.as_raw_fd()]);
    let rights = passed.as_ref().map(|fds| ControlMessage::ScmRights(fds));
    sendmsg::<()>(
        socket.as_fd().as_raw_fd(),
        &[IoSlice::new(packet)],
        rights.as_slice(),
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    Ok(())
}

/// Waits for a packet; `None` when the other end is closed.
pub fn recv_packet(socket: impl AsFd) -> io::Result<Option<(Vec<u8>, Option<OwnedFd>)>> {
    let mut bytes = vec![0; PACKET_BYTES_MAX];
    let mut space = nix::cmsg_space!([libc::c_int; 1]);
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg::<()>(
        socket.as_fd().as_raw_fd(),
        &mut slices,
        Some(&mut space),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let mut passed = None;
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = message {
            for fd in fds {
                // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
                passed = Some(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    let (length, flags) = (received.bytes, received.flags);
    if flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    bytes.truncate(length);
    Ok((length > 0).then_some((bytes, passed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    #[test]
    fn packets_keep_their_borders_and_descriptors() {
        let (here, there) = packet_pair().expect("a pair");
        let (mut reader, writer) = UnixStream::pair().expect("a pair");
        send_packet(&here, b"one", None).expect("sent");
        send_packet(&here, b"two", Some(writer.as_fd())).expect("sent");
        drop((here, writer));
        let (packet, passed) = recv_packet(&there).expect("received").expect("a packet");
        assert_eq!((&*packet, passed.is_some()), (&b"one"[..], false));
        let (packet, passed) = recv_packet(&there).expect("received").expect("a packet");
        assert_eq!(packet, b"two");
        let mut writer = File::from(passed.expect("a descriptor"));
        writer.write_all(b"through").expect("it is the writer");
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("readable");
        assert_eq!(text, "through");
        assert!(recv_packet(&there).expect("the end").is_none());
    }
}

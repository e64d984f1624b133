//! The little of rtnetlink(7) that attaching needs: which program an interface has, and word of
//! interfaces that come and go.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
    socket,
};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR` of `rtnetlink.h`.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;

/// `nlmsghdr` and `ifinfomsg`.
const HEADER: usize = 16;
const LINK_HEADER: usize = 16;

const IFLA_XDP: u16 = 43;
const IFLA_XDP_PROG_ID: u16 = 4;

/// Longer than the description of any one interface.
const MESSAGE_MAX: usize = 64 * 1024;

/// Says that some interface or its addresses have changed; which one, the reader finds out by looking.
#[derive(Debug)]
pub struct InterfaceWatch(AsyncFd<OwnedFd>);

impl InterfaceWatch {
    /// Begins to watch the calling thread's network namespace, inside a tokio runtime. Takes no
    /// privilege.
    pub fn new() -> io::Result<InterfaceWatch> {
        let socket = open(GROUPS, SockFlag::SOCK_NONBLOCK)?;
        // SAFETY: the descriptor is this socket's as long as it is registered: an `OwnedFd` neither
        // changes its number nor closes it before it is dropped.
        let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        let watch = registered.map_err(|error| error.into_parts().1)?;
        Ok(InterfaceWatch(watch))
    }

    /// Waits until something has changed.
    pub async fn changed(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let drained = drain(self.0.get_ref());
            ready.clear_ready();
            if drained? {
                return Ok(());
            }
        }
    }
}

/// Takes what has been said so far; false if that was nothing.
fn drain(socket: &OwnedFd) -> io::Result<bool> {
    let mut buffer = [0; 8192];
    let mut any = false;
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(_) => any = true,
            Err(nix::Error::EAGAIN) => return Ok(any),
            // Something was said that did not fit the queue.
            Err(nix::Error::ENOBUFS) => any = true,
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The number of the XDP program that an interface of this network namespace has.
pub(super) fn program_of(interface: u32) -> io::Result<Option<u32>> {
    let socket = open(0, SockFlag::empty())?;
    let mut request = Vec::with_capacity(HEADER + LINK_HEADER);
    request.extend_from_slice(&((HEADER + LINK_HEADER) as u32).to_ne_bytes());
    request.extend_from_slice(&RTM_GETLINK.to_ne_bytes());
    request.extend_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    request.extend_from_slice(&[0; 8]); // Sequence, port.
    request.extend_from_slice(&[0; 4]); // Family, padding, device type.
    request.extend_from_slice(&interface.to_ne_bytes());
    request.extend_from_slice(&[0; 8]); // Flags, change mask.
    send(socket.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut answer = vec![0; MESSAGE_MAX];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    parse_program(&answer[..length.min(MESSAGE_MAX)])
}

fn parse_program(message: &[u8]) -> io::Result<Option<u32>> {
    let kind = message.get(4..6).and_then(|kind| kind.first_chunk());
    match kind.map(|kind| u16::from_ne_bytes(*kind)) {
        Some(RTM_NEWLINK) => {}
        Some(NLMSG_ERROR) => {
            let code = message.get(HEADER..).and_then(|rest| rest.first_chunk());
            let code = code.map_or(libc::EIO, |code| -i32::from_ne_bytes(*code));
            return Err(io::Error::from_raw_os_error(code));
        }
        _ => return Err(io::ErrorKind::InvalidData.into()),
    }
    let attributes = message.get(HEADER + LINK_HEADER..).unwrap_or_default();
    let program = attribute(attributes, IFLA_XDP)
        .and_then(|xdp| attribute(xdp, IFLA_XDP_PROG_ID))
        .and_then(|id| id.first_chunk())
        .map(|id| u32::from_ne_bytes(*id));
    Ok(program.filter(|&program| program != 0))
}

/// The value of an attribute in a row of them: each has its length, its kind and padding to four.
fn attribute(mut row: &[u8], wanted: u16) -> Option<&[u8]> {
    const NESTED_AND_ORDER: u16 = 0xc000;
    loop {
        let length = usize::from(u16::from_ne_bytes(*row.first_chunk()?));
        let kind = u16::from_ne_bytes(*row.get(2..)?.first_chunk()?) & !NESTED_AND_ORDER;
        let value = row.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        row = row.get(length.next_multiple_of(4)..)?;
    }
}

fn open(groups: u32, flags: SockFlag) -> io::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | flags,
        SockProtocol::NetlinkRoute,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_answers_and_a_missing_one_is_said_so() {
        program_of(1).unwrap();
        let error = program_of(u32::MAX >> 1).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }

    #[test]
    fn nonsense_is_no_attribute() {
        for row in [&[][..], &[0, 0, 0, 0], &[255, 255, 43, 0], &[4, 0, 1]] {
            assert_eq!(attribute(row, IFLA_XDP), None);
        }
        let row = [5u16.to_ne_bytes(), 7u16.to_ne_bytes()].concat();
        let row = [
            &row[..],
            &[9, 0, 0, 0],
            &6u16.to_ne_bytes(),
            &43u16.to_ne_bytes(),
            &[1, 2],
        ]
        .concat();
        assert_eq!(attribute(&row, IFLA_XDP), Some(&[1, 2][..]));
        assert!(parse_program(&[0; 3]).is_err());
    }

    #[test]
    fn a_watch_says_when_an_interface_has_come() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // A namespace of its own, so that nobody else's interfaces are heard of.
        let heard = std::thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            runtime.unwrap().block_on(async {
                let watch = InterfaceWatch::new().unwrap();
                let patience = std::time::Duration::from_millis(100);
                let silent = tokio::time::timeout(patience, watch.changed()).await;
                assert!(silent.is_err(), "nothing has happened");
                let made = std::process::Command::new("ip")
                    .args([
                        "link", "add", "dummy9", "type", "veth", "peer", "name", "dummy8",
                    ])
                    .status();
                assert!(made.unwrap().success());
                let patience = std::time::Duration::from_secs(5);
                tokio::time::timeout(patience, watch.changed()).await
            })
        });
        heard.join().unwrap().expect("in time").unwrap();
    }
}

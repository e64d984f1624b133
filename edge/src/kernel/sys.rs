//! The calls of bpf(2) that `aya` keeps to itself: pinned links and maps of any layout.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Numbers of `enum bpf_cmd`.
#[derive(Clone, Copy)]
enum Command {
    ObjPin = 6,
    ObjGet = 7,
    ObjInfo = 15,
    MapLookupBatch = 24,
    MapUpdateBatch = 26,
    MapDeleteBatch = 27,
    LinkCreate = 28,
    LinkUpdate = 29,
    LinkDetach = 34,
}

/// `BPF_XDP` of `enum bpf_attach_type`.
const ATTACH_XDP: u32 = 37;

/// `XDP_FLAGS_*` of `if_link.h`: how a link is attached.
#[derive(Clone, Copy, Debug)]
pub(super) enum XdpFlags {
    /// `XDP_FLAGS_SKB_MODE`.
    Generic = 2,
    /// `XDP_FLAGS_DRV_MODE`.
    Native = 4,
}

/// The members of `union bpf_attr` used here; each is padded with zeros to the longest.
#[repr(C)]
#[derive(Default)]
struct Object {
    path: u64,
    fd: u32,
    flags: u32,
    directory: i32,
    _pad: u32,
}

#[repr(C)]
#[derive(Default)]
struct Info {
    fd: u32,
    length: u32,
    info: u64,
}

#[repr(C)]
#[derive(Default)]
struct Words([u32; 16]);

#[repr(C)]
#[derive(Default)]
struct Batch {
    position: u64,
    next: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// What the kernel says about a link of the XDP kind.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LinkInfo {
    kind: u32,
    /// Its number.
    pub(super) id: u32,
    /// The number of the program that runs.
    pub(super) program: u32,
    _pad: u32,
    /// The interface; 0 once that is gone, or the link was detached.
    pub(super) interface: u32,
    _rest: [u32; 11],
}

/// `BPF_LINK_TYPE_XDP`.
const LINK_XDP: u32 = 6;

fn bpf<T>(command: Command, attributes: &mut T) -> io::Result<RawFd> {
    // SAFETY: the attributes are a member of the union, as long as they say, and whatever they
    // point to outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_long,
            &raw mut *attributes,
            size_of::<T>(),
        )
    };
    match RawFd::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made it for the caller.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn number(fd: impl AsFd) -> u32 {
    fd.as_fd().as_raw_fd().cast_unsigned()
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Gives an object a name in a BPF file system; it lives as long as the name.
pub(super) fn pin(object: impl AsFd, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    let mut attributes = Object {
        path: path.as_ptr() as u64,
        fd: number(object),
        ..Object::default()
    };
    bpf(Command::ObjPin, &mut attributes).map(drop)
}

/// Opens what has a name.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let mut attributes = Object {
        path: path.as_ptr() as u64,
        ..Object::default()
    };
    bpf(Command::ObjGet, &mut attributes).map(owned)
}

/// Attaches an XDP program to an interface.
pub(super) fn attach(program: impl AsFd, interface: u32, flags: XdpFlags) -> io::Result<OwnedFd> {
    let mut attributes = Words::default();
    attributes.0[..4].copy_from_slice(&[number(program), interface, ATTACH_XDP, flags as u32]);
    bpf(Command::LinkCreate, &mut attributes).map(owned)
}

/// Replaces the program of a link, between one packet and the next.
pub(super) fn replace(link: impl AsFd, program: impl AsFd) -> io::Result<()> {
    let mut attributes = Words::default();
    attributes.0[..2].copy_from_slice(&[number(link), number(program)]);
    bpf(Command::LinkUpdate, &mut attributes).map(drop)
}

/// Detaches a link, whoever else holds it.
pub(super) fn detach(link: impl AsFd) -> io::Result<()> {
    let mut attributes = Words::default();
    attributes.0[0] = number(link);
    bpf(Command::LinkDetach, &mut attributes).map(drop)
}

/// What the kernel says about a link.
pub(super) fn link_info(link: impl AsFd) -> io::Result<LinkInfo> {
    let mut info = LinkInfo::default();
    let mut attributes = Info {
        fd: number(link),
        length: size_of::<LinkInfo>() as u32,
        info: (&raw mut info) as u64,
    };
    bpf(Command::ObjInfo, &mut attributes)?;
    match info.kind {
        LINK_XDP => Ok(info),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// All entries of a hash map whose keys and values have these lengths: keys in a row, values in a
/// row. An entry that is written meanwhile may be there twice or not at all.
pub(super) fn entries(
    map: impl AsFd,
    key_bytes: usize,
    value_bytes: usize,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    /// More than a bucket of the hash ever holds.
    const BATCH: usize = 4096;
    // The kernel rounds the values of its maps up to eight bytes, but hands out what was asked for.
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    let (mut position, mut next) = ([0u64; 8], [0u64; 8]);
    let mut is_first = true;
    loop {
        let (all_keys, all_values) = (keys.len(), values.len());
        keys.resize(all_keys + BATCH * key_bytes, 0);
        values.resize(all_values + BATCH * value_bytes, 0);
        let mut attributes = Batch {
            position: match is_first {
                true => 0,
                false => (&raw const position) as u64,
            },
            next: (&raw mut next) as u64,
            keys: keys[all_keys..].as_mut_ptr() as u64,
            values: values[all_values..].as_mut_ptr() as u64,
            count: BATCH as u32,
            map: number(&map),
            ..Batch::default()
        };
        let result = bpf(Command::MapLookupBatch, &mut attributes);
        let is_end = match result {
            Ok(_) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(error) => return Err(error),
        };
        let count = attributes.count as usize;
        keys.truncate(all_keys + count * key_bytes);
        values.truncate(all_values + count * value_bytes);
        if is_end {
            return Ok((keys, values));
        }
        (position, is_first) = (next, false);
    }
}

/// Inserts or overwrites so many entries: keys in a row, values in a row. The kernel takes a lock
/// per entry and gives way in between, so that no packet waits for the whole. On an error some of
/// the first may have been written.
pub(super) fn update(map: impl AsFd, count: usize, keys: &[u8], values: &[u8]) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut attributes = Batch {
        keys: keys.as_ptr() as u64,
        values: values.as_ptr() as u64,
        count: count as u32,
        map: number(map),
        ..Batch::default()
    };
    bpf(Command::MapUpdateBatch, &mut attributes).map(drop)
}

/// Removes so many entries, all of which must be there. On an error some of the first may be gone.
pub(super) fn delete(map: impl AsFd, count: usize, keys: &[u8]) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut attributes = Batch {
        keys: keys.as_ptr() as u64,
        count: count as u32,
        map: number(map),
        ..Batch::default()
    };
    bpf(Command::MapDeleteBatch, &mut attributes).map(drop)
}

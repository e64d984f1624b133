//! From a path to an open file.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use http::StatusCode;

use crate::config::{Attempt, FilesAction, PathMatch};
use crate::message::RequestHead;
use crate::net::OpenFile;

/// What stands under a path.
pub(super) enum Lookup {
    /// A file.
    File(Box<Found>),
    /// A directory whose path was asked for without the slash at its end.
    Directory,
    /// A directory that nothing stands for: what is in it is not told.
    Unlisted,
    /// Nothing to be served.
    Nothing(StatusCode),
}

/// A file that is to be served.
pub(super) struct Found {
    pub(super) file: OpenFile,
    /// Where it is in the directory.
    pub(super) path: Vec<u8>,
}

const NOT_FOUND: Lookup = Lookup::Nothing(StatusCode::NOT_FOUND);

/// Looks for the file that a request means.
pub(super) async fn find(action: &FilesAction, route: &PathMatch, head: &RequestHead) -> Lookup {
    let Some(directory) = &action.directory else {
        return Lookup::Nothing(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let path = head.target.routing_path();
    // The path of the route itself, without the slash of the directory that it stands for.
    let mut lacks_slash = false;
    let path = match (action.strip_prefix, route) {
        (true, PathMatch::Prefix(prefix)) => {
            let stem = prefix.trim_end_matches('/');
            let rest = path.strip_prefix(stem).unwrap_or_default();
            lacks_slash = rest.is_empty();
            rest
        }
        (true, PathMatch::Exact(_)) => "",
        (true, PathMatch::Regex(_)) | (false, _) => path,
    };
    let found = match relative(path, action.hidden) {
        Some(_) if lacks_slash && action.tries.contains(&Attempt::Directory) => Lookup::Directory,
        Some(path) => one_of(action, directory, &path).await,
        None => NOT_FOUND,
    };
    match (&found, &action.fallback) {
        (Lookup::Nothing(StatusCode::NOT_FOUND), Some(fallback)) => {
            file(directory, fallback.clone().into_bytes()).await
        }
        _ => found,
    }
}

/// The first place of the route that there is something at.
async fn one_of(action: &FilesAction, directory: &Arc<OwnedFd>, path: &[u8]) -> Lookup {
    let names_directory = path.is_empty() || path.ends_with(b"/");
    let mut found = NOT_FOUND;
    // That a path without the slash is a directory, once it is known.
    let mut is_directory = None;
    for attempt in &action.tries {
        let tried = match attempt {
            Attempt::Path if names_directory => NOT_FOUND,
            Attempt::Path => match open(directory, path).await {
                Ok(file) if file.metadata().is_file() => {
                    let path = path.to_vec();
                    return Lookup::File(Box::new(Found { file, path }));
                }
                Ok(file) => {
                    is_directory = Some(file.metadata().is_dir());
                    NOT_FOUND
                }
                Err(error) => nothing(&error),
            },
            Attempt::Directory if names_directory => index(action, directory, path.to_vec()).await,
            Attempt::Directory => match is_directory {
                Some(true) => Lookup::Directory,
                Some(false) => NOT_FOUND,
                None => match open(directory, path).await {
                    Ok(file) if file.metadata().is_dir() => Lookup::Directory,
                    Ok(_) => NOT_FOUND,
                    Err(error) => nothing(&error),
                },
            },
            Attempt::With(suffix) => match with(path, suffix) {
                Some(path) => file(directory, path).await,
                None => NOT_FOUND,
            },
            Attempt::At(path) => file(directory, path.clone().into_bytes()).await,
        };
        match tried {
            Lookup::Nothing(StatusCode::NOT_FOUND) => {}
            // It may have a page of its name beside it.
            Lookup::Unlisted | Lookup::Nothing(StatusCode::FORBIDDEN) => found = tried,
            tried => return tried,
        }
    }
    found
}

/// A path with something behind it: names below it, or the end of its last name, which must be there
/// then.
fn with(path: &[u8], suffix: &str) -> Option<Vec<u8>> {
    let stem = path.strip_suffix(b"/").unwrap_or(path);
    let path = match suffix.strip_prefix('/') {
        Some(below) if stem.is_empty() => below.as_bytes().to_vec(),
        Some(_) => [stem, suffix.as_bytes()].concat(),
        None if stem.len() < path.len() || stem.is_empty() => return None,
        None => [path, suffix.as_bytes()].concat(),
    };
    Some(path)
}

/// A regular file.
async fn file(directory: &Arc<OwnedFd>, path: Vec<u8>) -> Lookup {
    match open(directory, &path).await {
        Ok(file) if file.metadata().is_file() => Lookup::File(Box::new(Found { file, path })),
        Ok(_) => NOT_FOUND,
        Err(error) => nothing(&error),
    }
}

/// What stands for a directory. One that holds nothing of the kind is not listed.
async fn index(action: &FilesAction, directory: &Arc<OwnedFd>, path: Vec<u8>) -> Lookup {
    for name in &action.index {
        let path = [&*path, name.as_bytes()].concat();
        match open(directory, &path).await {
            Ok(file) if file.metadata().is_file() => {
                return Lookup::File(Box::new(Found { file, path }));
            }
            Ok(_) => {}
            Err(error) => match nothing(&error) {
                Lookup::Nothing(StatusCode::NOT_FOUND) => {}
                other => return other,
            },
        }
    }
    let itself: &[u8] = if path.is_empty() { b"." } else { &path };
    match (&action.fallback, open(directory, itself).await) {
        (None, Ok(file)) if file.metadata().is_dir() => Lookup::Unlisted,
        (None, Err(error)) => nothing(&error),
        _ => NOT_FOUND,
    }
}

/// Opens what may be any kind of file.
pub(super) async fn open(directory: &Arc<OwnedFd>, path: &[u8]) -> io::Result<OpenFile> {
    OpenFile::beneath(directory, &CString::new(path)?).await
}

fn nothing(error: &io::Error) -> Lookup {
    Lookup::Nothing(match error.raw_os_error() {
        // EXDEV: it leads out of the directory. ENXIO: it is a socket.
        Some(
            libc::ENOENT
            | libc::ENOTDIR
            | libc::ENAMETOOLONG
            | libc::EXDEV
            | libc::ELOOP
            | libc::ENXIO,
        ) => StatusCode::NOT_FOUND,
        Some(libc::EACCES | libc::EPERM) => StatusCode::FORBIDDEN,
        _ => {
            tracing::warn!(%error, "a file cannot be opened");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    })
}

/// A path of the request as a path in the directory: without the slash at its start, decoded.
/// `None` for what is never served.
fn relative(path: &str, hidden: bool) -> Option<Vec<u8>> {
    let path = path.strip_prefix('/').unwrap_or(path).as_bytes();
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, tail)) = rest.split_first() {
        let (byte, tail) = match (byte, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |b: u8| (b as char).to_digit(16);
                let value = digit(*high)? * 16 + digit(*low)?;
                (u8::try_from(value).ok()?, tail)
            }
            (byte, tail) => (byte, tail),
        };
        if byte.is_ascii_control() {
            return None;
        }
        decoded.push(byte);
        rest = tail;
    }
    // The slash at the end of a directory leaves nothing behind it.
    let mut segments = decoded
        .strip_suffix(b"/")
        .unwrap_or(&decoded)
        .split(|&b| b == b'/');
    let served = decoded.is_empty() || segments.all(|segment| is_served(segment, hidden));
    served.then_some(decoded)
}

/// Files of certificate authorities are meant to be seen (RFC 8615).
fn is_served(segment: &[u8], hidden: bool) -> bool {
    match segment {
        b"" | b"." | b".." => false,
        b".well-known" => true,
        segment => hidden || segment[0] != b'.',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_the_directory() {
        let of = |path: &str| relative(path, false).map(|path| String::from_utf8(path).unwrap());
        let some = |path: &str| Some(path.to_owned());
        assert_eq!(of("/"), some(""));
        assert_eq!(of(""), some(""));
        assert_eq!(of("/a/b.html"), some("a/b.html"));
        assert_eq!(of("/a/"), some("a/"));
        assert_eq!(of("/a%20b%C3%BC"), some("a bü"));
        assert_eq!(of("/.well-known/x"), some(".well-known/x"));
        assert_eq!(of("/%252e%252e/x"), some("%2e%2e/x"), "decoded once");
        for refused in [
            "//a",
            "/a//b",
            "/../a",
            "/a/..",
            "/.",
            "/.git/config",
            "/a/.env",
            "/.well-known/.x",
            "/a%00b",
            "/a%0ab",
            "/a%7f",
            "/%2e%2e/a",
            "/%2egit",
            "/a%2f..%2fb",
            "/%",
            "/%zz",
            "/a//",
        ] {
            // A lone percent never gets here; what does is a name like any other.
            let expected = (refused == "/%").then(|| "%".to_owned());
            assert_eq!(of(refused), expected, "{refused}");
        }
        assert_eq!(relative("/.git", true), Some(b".git".to_vec()));
        assert_eq!(relative("/../x", true), None);
    }
}

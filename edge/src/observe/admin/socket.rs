//! The socket file: made with care, taken over only from the dead, removed at the end.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown, fchown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Owner and group may connect; connecting needs write permission, unix(7).
const SOCKET_MODE: u32 = 0o660;
/// Others may not even see the socket.
const DIR_MODE: u32 = 0o750;

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Something answers on the socket.
    #[error("another edge is running: it answers on {}", path.display())]
    Running {
        /// The configured path.
        path: PathBuf,
    },
    /// The path is taken by something that is no socket, which is left alone.
    #[error("cannot make the admin socket: {} exists and is not a socket", path.display())]
    Occupied {
        /// The configured path.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error(
        "cannot make the admin socket {}: {source}; `socket` in [admin] names another path",
        path.display()
    )]
    Io {
        /// The configured path.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// A listening admin socket; dropping it removes the file.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: UnixListener,
    file: File,
    /// The directory, if it was made for the socket.
    made_dir: Option<PathBuf>,
}

/// The file of a socket; dropping it removes the file if it is still that socket's.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Socket {
    /// Listens at `path`, mode 0660, making its directory (mode 0750) where there is none.
    ///
    /// A socket that nobody listens on any more is replaced.
    pub fn bind(path: &Path) -> Result<Socket, SocketError> {
        let refused = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        let made_dir = make_dir(path).map_err(refused)?;
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(refused)?;
        let identity = path.symlink_metadata().map(identity).map_err(refused)?;
        let socket = Socket {
            listener,
            file: File {
                path: path.to_owned(),
                identity,
            },
            made_dir,
        };
        fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE)).map_err(refused)?;
        socket.listener.set_nonblocking(true).map_err(refused)?;
        Ok(socket)
    }

    /// Gives the file to the account that the process is about to become, so that it can remove it.
    ///
    /// The directory goes with it only if it was made here: nobody's `/run` changes hands. In other
    /// directories the file may stay behind, and the next start replaces it.
    pub fn give_to(&self, uid: u32, gid: u32) -> Result<(), SocketError> {
        let given =
            chown(&self.file.path, Some(uid), Some(gid)).and_then(|()| match &self.made_dir {
                Some(dir) => fchown(fs::File::open(dir)?, Some(uid), Some(gid)),
                None => Ok(()),
            });
        given.map_err(|source| SocketError::Io {
            path: self.file.path.clone(),
            source,
        })
    }

    pub(super) fn into_parts(self) -> (UnixListener, File) {
        (self.listener, self.file)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let is_ours = self
            .path
            .symlink_metadata()
            .is_ok_and(|metadata| identity(metadata) == self.identity);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            let path = self.path.display();
            tracing::debug!(%error, "the admin socket {path} stays behind");
        }
    }
}

fn identity(metadata: Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Makes the socket's directory; returns it if it was not there.
fn make_dir(path: &Path) -> io::Result<Option<PathBuf>> {
    let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) else {
        return Ok(None);
    };
    if dir.try_exists()? {
        return Ok(None);
    }
    DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(dir)?;
    tracing::info!(directory = %dir.display(), "made a directory for the admin socket");
    Ok(Some(dir.to_owned()))
}

fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let refused = |source| SocketError::Io {
        path: path.to_owned(),
        source,
    };
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            let path = path.to_owned();
            return Err(SocketError::Occupied { path });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::Running {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(refused)
        }
        Err(error) => Err(refused(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        let metadata = path.metadata().expect("it exists");
        metadata.permissions().mode() & 0o777
    }

    #[test]
    fn makes_its_directory_and_removes_its_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("edge/admin.sock");
        let socket = Socket::bind(&path).expect("it listens");
        assert_eq!(mode(&path), 0o660);
        assert_eq!(mode(&dir.path().join("edge")), 0o750);
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_live_socket_is_left_alone_and_a_stale_one_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("admin.sock");
        let live = UnixListener::bind(&path).expect("it listens");
        let error = Socket::bind(&path).expect_err("somebody listens");
        assert!(matches!(error, SocketError::Running { .. }), "{error}");
        drop(live);
        drop(Socket::bind(&path).expect("nobody listens"));
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_took_the_place_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("admin.sock");
        let socket = Socket::bind(&path).expect("it listens");
        fs::remove_file(&path).expect("it is there");
        let _successor = UnixListener::bind(&path).expect("it listens");
        drop(socket);
        assert!(path.exists());
    }

    #[test]
    fn other_files_are_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("admin.sock");
        fs::write(&path, "data").expect("it writes");
        let error = Socket::bind(&path).expect_err("no socket");
        assert!(matches!(error, SocketError::Occupied { .. }), "{error}");
        assert_eq!(fs::read(&path).expect("it is there"), b"data");
    }

    #[test]
    fn a_path_that_is_too_long_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a".repeat(200));
        let error = Socket::bind(&path).expect_err("too long for a socket");
        assert!(
            error.to_string().contains(&*path.to_string_lossy()),
            "{error}"
        );
    }
}

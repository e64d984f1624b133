//! Paths of Unix sockets, and where relative paths start.

use std::path::{Path, PathBuf};

use super::{Invalid, quote};

/// `sun_path` in unix(7), less the closing NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Makes a path of the file absolute or relative to the working directory: relative ones start at
/// `base`, the directory of the configuration file.
pub(in crate::config) fn join(base: &Path, text: &str) -> Result<PathBuf, Invalid> {
    match text {
        "" => Err(Invalid::new("the path is empty")),
        text if text.contains('\0') => Err(Invalid::new(format!("{} holds a NUL", quote(text)))),
        text => Ok(base.join(text)),
    }
}

/// A path that a Unix socket can have.
pub(in crate::config) fn check_socket_path(base: &Path, text: &str) -> Result<PathBuf, Invalid> {
    let path = join(base, text)?;
    let bytes = path.as_os_str().len();
    match bytes <= SOCKET_PATH_BYTES_MAX {
        true => Ok(path),
        false => Err(Invalid::new(format!(
            "the path of the socket is {bytes} bytes long, and the kernel takes {SOCKET_PATH_BYTES_MAX}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_socket_path, join};
    use std::path::{Path, PathBuf};

    #[test]
    fn relative_paths_start_at_the_file() {
        let base = Path::new("/etc/edge");
        assert_eq!(
            join(base, "key.pem"),
            Ok(PathBuf::from("/etc/edge/key.pem"))
        );
        assert_eq!(join(base, "/run/x"), Ok(PathBuf::from("/run/x")));
    }

    #[test]
    fn what_is_wrong() {
        let base = Path::new("/run");
        let why = |text: &str| check_socket_path(base, text).unwrap_err().to_string();
        insta::assert_snapshot!(why(""), @"the path is empty");
        insta::assert_snapshot!(why("a\0b"), @r#""a\0b" holds a NUL"#);
        insta::assert_snapshot!(why(&"a".repeat(103)), @"the path of the socket is 108 bytes long, and the kernel takes 107");
        check_socket_path(base, &"a".repeat(102)).unwrap();
    }
}

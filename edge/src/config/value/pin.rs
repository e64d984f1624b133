//! The directory in which the shield is pinned.

use std::path::{Component, Path, PathBuf};

use super::{Invalid, quote};

/// A directory of a BPF file system: absolute, in normal form, and without the dots that this file
/// system takes in no name.
pub(in crate::config) fn check_pin(text: &str) -> Result<PathBuf, Invalid> {
    let path = Path::new(text);
    let is_normal = path.has_root()
        && path
            .components()
            .skip(1)
            .all(|part| matches!(part, Component::Normal(_)))
        && path.components().count() > 1;
    if !is_normal || text.contains('\0') {
        let problem = format!("{} is not an absolute path", quote(text));
        return Err(Invalid::new(problem).fix("write one below \"/sys/fs/bpf\", or \"off\""));
    }
    if text.contains('.') {
        let problem = format!(
            "{} has a dot, which the BPF file system does not take",
            quote(text)
        );
        return Err(Invalid::new(problem).fix(format!("write {}", quote(&text.replace('.', "-")))));
    }
    // Without what `components` leaves out: doubled and trailing slashes.
    Ok(path.components().collect())
}

#[cfg(test)]
mod tests {
    use super::check_pin;
    use std::path::PathBuf;

    #[test]
    fn paths_are_brought_to_one_form() {
        let expected = Ok(PathBuf::from("/sys/fs/bpf/edge"));
        assert_eq!(check_pin("/sys/fs/bpf/edge"), expected);
        assert_eq!(check_pin("/sys//fs/bpf/edge/"), expected);
    }

    #[test]
    fn what_is_wrong() {
        let why = |text: &str| check_pin(text).unwrap_err().to_string();
        insta::assert_snapshot!(why("edge"), @r#""edge" is not an absolute path; write one below "/sys/fs/bpf", or "off""#);
        insta::assert_snapshot!(why("/"), @r#""/" is not an absolute path; write one below "/sys/fs/bpf", or "off""#);
        insta::assert_snapshot!(why("/sys/fs/bpf/../x"), @r#""/sys/fs/bpf/../x" is not an absolute path; write one below "/sys/fs/bpf", or "off""#);
        insta::assert_snapshot!(why("/sys/fs/bpf/edge.2"), @r#""/sys/fs/bpf/edge.2" has a dot, which the BPF file system does not take; write "/sys/fs/bpf/edge-2""#);
    }
}

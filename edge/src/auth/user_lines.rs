//! Lines of a file of users, made and replaced: what `edge passwd` writes.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// OWASP's first choice for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// RFC 9106 §3.1.
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 32;
/// What the reader of such files takes.
const NAME_BYTES_MAX: usize = 255;

/// Why there is no line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserLineError {
    /// The name cannot stand in the file.
    #[error(
        "{0:?} is no name of a user: it must not be empty or longer than 255 bytes, begin with # or a space, or hold a colon"
    )]
    Name(String),
    /// There is no such user.
    #[error("there is no user {0:?}")]
    Absent(String),
    /// No salt, or no memory to hash with.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// The hash of a password, as it stands behind the name.
pub fn hash_password(password: &[u8]) -> Result<String, UserLineError> {
    let failed = |what: &dyn std::fmt::Display| UserLineError::Hash(what.to_string());
    let mut salt = [0; SALT_BYTES];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| failed(&"no random numbers"))?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(TAG_BYTES));
    let params = params.map_err(|error| failed(&error))?;
    let mut tag = [0; TAG_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password, &salt, &mut tag)
        .map_err(|error| failed(&error))?;
    let [salt, tag] = [&salt[..], &tag[..]].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    Ok(format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${tag}"
    ))
}

/// A file with another hash for a user, who is added at its end where there is none. Everything else
/// stays as it is.
pub fn with_user(text: &str, name: &str, hash: &str) -> Result<String, UserLineError> {
    check_name(name)?;
    let line = format!("{name}:{hash}");
    let mut is_there = false;
    let mut lines: Vec<&str> = Vec::new();
    for known in text.lines() {
        match (is_of(known, name), is_there) {
            (false, _) => lines.push(known),
            (true, false) => {
                lines.push(&line);
                is_there = true;
            }
            // There twice, which nobody would read.
            (true, true) => {}
        }
    }
    if !is_there {
        lines.push(&line);
    }
    Ok(lines.join("\n") + "\n")
}

/// A file without a user.
pub fn without_user(text: &str, name: &str) -> Result<String, UserLineError> {
    check_name(name)?;
    if !text.lines().any(|line| is_of(line, name)) {
        return Err(UserLineError::Absent(name.to_owned()));
    }
    let others = text.lines().filter(|line| !is_of(line, name));
    Ok(others.map(|line| format!("{line}\n")).collect())
}

fn is_of(line: &str, name: &str) -> bool {
    let rest = line.trim().strip_prefix(name);
    rest.is_some_and(|rest| rest.starts_with(':'))
}

fn check_name(name: &str) -> Result<(), UserLineError> {
    let fits = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.trim() == name
        && !name.starts_with('#')
        && !name.contains(':')
        && !name.chars().any(char::is_control);
    match fits {
        true => Ok(()),
        false => Err(UserLineError::Name(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_come_change_and_go() {
        let one = with_user("", "ann", "1").expect("a name");
        assert_eq!(one, "ann:1\n");
        let text = "# people\n\nann:1\n annabel:2\r\nann:3";
        assert_eq!(
            with_user(text, "ann", "4").expect("a name"),
            "# people\n\nann:4\n annabel:2\n"
        );
        assert_eq!(
            with_user("bob:1", "ann", "4").expect("a name"),
            "bob:1\nann:4\n"
        );
        assert_eq!(
            without_user(text, "annabel"),
            Ok("# people\n\nann:1\nann:3\n".into())
        );
        assert_eq!(
            without_user(text, "ann"),
            Ok("# people\n\n annabel:2\n".into())
        );
        assert_eq!(
            without_user(text, "carol"),
            Err(UserLineError::Absent("carol".into()))
        );
    }

    #[test]
    fn names_that_would_break_the_file() {
        for name in ["", "a:b", "#a", " a", "a\nb", "a\u{0}", &"a".repeat(256)] {
            let refused = Err(UserLineError::Name(name.to_owned()));
            assert_eq!(with_user("", name, "x"), refused);
            assert_eq!(without_user("", name), refused);
        }
    }

    #[test]
    fn no_two_hashes_are_alike() {
        let hashes = [(); 2].map(|()| hash_password(b"same").expect("memory"));
        assert_ne!(hashes[0], hashes[1]);
        assert!(hashes[0].starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }
}

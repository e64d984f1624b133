//! Files of users as `htpasswd -B` writes them: `name:hash`, one a line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::quote;
use crate::config::types::{Argon2id, PasswordHash, Users};

const NAME_BYTES_MAX: usize = 255;
/// 2^16 rounds take seconds; what takes longer is a mistake or an attack on the file.
const BCRYPT_COST: std::ops::RangeInclusive<u32> = 4..=16;
/// Several passwords are checked at the same time.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 16;

/// Parses a file, or says in which line it is wrong. No message holds a hash.
pub(in crate::config) fn parse_users(text: &str) -> Result<Users, String> {
    let mut users = Users::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: String| format!("line {number}: {what}");
        let (name, hash) = line
            .split_once(':')
            .ok_or_else(|| wrong("has no `:` between name and hash".to_owned()))?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(wrong(format!("{} is no name of a user", quote(name))));
        }
        let hash = password_hash(hash)
            .map_err(|what| wrong(format!("the password of {} {what}", quote(name))))?;
        if !users.add(name, hash) {
            return Err(wrong(format!("{} is there twice", quote(name))));
        }
    }
    Ok(users)
}

fn password_hash(text: &str) -> Result<PasswordHash, &'static str> {
    let parts: Vec<&str> = text.split('$').collect();
    match parts[..] {
        ["", "2a" | "2b" | "2y", cost, rest] => bcrypt(cost, rest)
            .then(|| PasswordHash::Bcrypt(text.into()))
            .ok_or("is no bcrypt hash of a cost from 4 to 16"),
        ["", "argon2id", "v=19", parameters, salt, tag] => argon2id(parameters, salt, tag)
            .map(|hash| PasswordHash::Argon2id(Box::new(hash)))
            .ok_or("is no Argon2id hash of at most 256 MiB, 64 passes and 16 lanes"),
        ["", "argon2id" | "argon2i" | "argon2d", ..] => {
            Err("is hashed with another Argon2 than version 19 of Argon2id")
        }
        _ => Err("is hashed in a way that is easily broken, or not at all; use `htpasswd -B`"),
    }
}

fn bcrypt(cost: &str, rest: &str) -> bool {
    let cost = (cost.len() == 2).then(|| cost.parse().ok()).flatten();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'/';
    // 16 bytes of salt and 23 of hash; the last letter of either holds bits to spare.
    cost.is_some_and(|cost| BCRYPT_COST.contains(&cost))
        && rest.len() == 53
        && rest.bytes().all(plain)
        && ".Oeu".contains(&rest[21..22])
}

fn argon2id(parameters: &str, salt: &str, tag: &str) -> Option<Argon2id> {
    let mut parameters = parameters.split(',');
    let mut number = |name: &str| -> Option<u32> {
        let value = parameters.next()?.strip_prefix(name)?;
        value.strip_prefix('=')?.parse().ok()
    };
    let (memory_kib, passes, lanes) = (number("m")?, number("t")?, number("p")?);
    let fits = (1..=LANES_MAX).contains(&lanes)
        && (8 * lanes..=MEMORY_KIB_MAX).contains(&memory_kib)
        && (1..=PASSES_MAX).contains(&passes)
        && parameters.next().is_none();
    let salt = STANDARD_NO_PAD.decode(salt).ok()?;
    let tag = STANDARD_NO_PAD.decode(tag).ok()?;
    let fits = fits && (8..=64).contains(&salt.len()) && (16..=64).contains(&tag.len());
    fits.then(|| Argon2id {
        memory_kib,
        passes,
        lanes,
        salt: salt.into(),
        tag: tag.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";
    const ARGON2: &str =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG";

    #[test]
    fn users_with_comments_between() {
        let text = format!("# people\n\nann:{BCRYPT}\r\nbob b:{ARGON2}\n");
        let users = parse_users(&text).expect("valid");
        assert_eq!(
            users.find("ann"),
            Some(&PasswordHash::Bcrypt(BCRYPT.into()))
        );
        let Some(PasswordHash::Argon2id(hash)) = users.find("bob b") else {
            panic!("it is Argon2id")
        };
        assert_eq!((hash.memory_kib, hash.passes, hash.lanes), (65536, 2, 1));
        assert_eq!(&*hash.salt, b"somesalt");
        assert_eq!(hash.tag.len(), 24);
        assert_eq!(users.find("carol"), None);
        assert_eq!(users.decoy(), users.find("ann"));
        assert!(!format!("{users:?}").contains("c4WoMPo"));
    }

    #[test]
    fn what_is_wrong_says_where_and_shows_no_hash() {
        let why = |line: &str| parse_users(&format!("\n{line}\n")).expect_err(line);
        for (line, what) in [
            ("ann".to_owned(), "line 2: has no `:`"),
            (format!(":{BCRYPT}"), "line 2: \"\" is no name"),
            ("ann:secret".to_owned(), "or not at all; use `htpasswd -B`"),
            ("ann:$apr1$abc$def".to_owned(), "easily broken"),
            ("ann:{SHA}abc".to_owned(), "easily broken"),
            (BCRYPT.replace("$05$", "$31$"), "cost from 4 to 16"),
            (BCRYPT.replace("$05$", "$5$"), "cost from 4 to 16"),
            (BCRYPT.replace("HHa6u", "HHa6a"), "no bcrypt hash"),
            (BCRYPT[..59].to_owned(), "no bcrypt hash"),
            (ARGON2.replace("65536", "99999999"), "at most 256 MiB"),
            (ARGON2.replace("p=1", "p=0"), "no Argon2id hash"),
            (
                ARGON2.replace("m=65536,t=2", "t=2,m=65536"),
                "no Argon2id hash",
            ),
            (ARGON2.replace("argon2id", "argon2i"), "another Argon2"),
            (ARGON2.replace("$v=19", ""), "another Argon2"),
        ] {
            let line = match line.contains(':') || line == "ann" {
                true => line,
                false => format!("ann:{line}"),
            };
            let shown = why(&line);
            assert!(shown.contains(what), "no {what:?} in {shown}");
            assert!(
                !shown.contains("XQZWr7") && !shown.contains("c29tZ"),
                "{shown}"
            );
        }
        let twice = why(&format!("ann:{BCRYPT}\nann:{ARGON2}"));
        assert_eq!(twice, "line 3: \"ann\" is there twice");
    }
}

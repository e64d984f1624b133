//! API keys: `name sha256:HEX` or `name KEY`.

use aws_lc_rs::digest::{SHA256, digest};

const PREFIX: &str = "sha256:";
const NAME_BYTES_MAX: usize = 64;
/// Shorter ones can be guessed.
const KEY_BYTES_LEAST: usize = 16;
const KEY_BYTES_MAX: usize = 1024;

/// The name of a key and its hash, from `name sha256:HEX` or `name KEY`. No message holds a key.
pub(in crate::config) fn parse_key_line(line: &str) -> Result<(&str, [u8; 32]), String> {
    let (name, key) = words(line)?;
    if key.starts_with(PREFIX) {
        return Ok((name, from_hex(key)?));
    }
    if !(KEY_BYTES_LEAST..=KEY_BYTES_MAX).contains(&key.len()) {
        return Err(format!(
            "the key has {} bytes; write {KEY_BYTES_LEAST} to {KEY_BYTES_MAX}, such as `openssl rand -hex 16` makes",
            key.len()
        ));
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    Ok((name, hash))
}

/// The same from `name sha256:HEX` alone.
pub(in crate::config) fn parse_key_hash(line: &str) -> Result<(&str, [u8; 32]), String> {
    let (name, key) = words(line)?;
    Ok((name, from_hex(key)?))
}

fn words(line: &str) -> Result<(&str, &str), String> {
    let mut words = line.split_ascii_whitespace();
    let (Some(name), Some(key), None) = (words.next(), words.next(), words.next()) else {
        return Err("is no name and key; write `name sha256:HEX`".to_owned());
    };
    let good = |b: u8| b.is_ascii_graphic() && b != b'"';
    match name.len() <= NAME_BYTES_MAX && name.bytes().all(good) {
        true => Ok((name, key)),
        false => Err("has a name that is long or not printable".to_owned()),
    }
}

fn from_hex(key: &str) -> Result<[u8; 32], String> {
    let digits = key.strip_prefix(PREFIX).unwrap_or_default().as_bytes();
    let mut hash = [0; 32];
    let digit = |b: u8| (b as char).to_digit(16);
    let pairs = digits
        .chunks_exact(2)
        .map(|pair| digit(pair[0]).zip(digit(pair[1])));
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| pair.map(|(high, low)| (high * 16 + low) as u8))
        .collect();
    match bytes.filter(|bytes| digits.len() == 64 && bytes.len() == hash.len()) {
        Some(bytes) => hash.copy_from_slice(&bytes),
        None => {
            return Err(
                "lacks `sha256:` and 64 hexadecimal digits; `printf %s KEY | sha256sum` makes them"
                    .to_owned(),
            );
        }
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_its_hash_are_the_same() {
        let (name, hash) = parse_key_line("ci  0123456789abcdef").expect("valid");
        let hex: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(name, "ci");
        assert_eq!(
            parse_key_line(&format!("other sha256:{hex}")),
            Ok(("other", hash))
        );
        assert!(parse_key_hash("ci 0123456789abcdef").is_err());
        assert_eq!(
            parse_key_hash(&format!("ci sha256:{hex}")),
            Ok(("ci", hash))
        );
        // printf %s 0123456789abcdef | sha256sum
        assert!(hex.starts_with("9F9F5111F7B27A78"), "{hex}");
    }

    #[test]
    fn what_is_wrong_shows_no_key() {
        for (line, what) in [
            ("0123456789abcdef", "is no name and key"),
            ("a 0123456789abcdef x", "is no name and key"),
            ("ci short", "the key has 5 bytes; write 16 to 1024"),
            ("ci sha256:00", "64 hexadecimal digits"),
            (&format!("ci sha256:{}", "xy".repeat(32)), "64 hexadecimal"),
            (
                &format!("{} 0123456789abcdef", "n".repeat(65)),
                "a name that is long",
            ),
        ] {
            let shown = parse_key_line(line).expect_err(line);
            assert!(shown.contains(what), "no {what:?} in {shown}");
            assert!(!shown.contains("0123456789abcdef"), "{shown}");
        }
    }
}

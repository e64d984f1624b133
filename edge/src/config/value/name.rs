//! Names of accounts, network interfaces and upstreams.

use super::{Invalid, quote};

/// `IFNAMSIZ` in linux/if.h, less the closing NUL.
const INTERFACE_BYTES_MAX: usize = 15;
/// `LOGIN_NAME_MAX` of useradd(8).
const ACCOUNT_BYTES_MAX: usize = 32;
/// Names become metric labels and log fields.
const UPSTREAM_BYTES_MAX: usize = 64;

/// Checks the name of an account of this machine.
pub(in crate::config) fn check_account(text: &str) -> Result<String, Invalid> {
    let invalid = |problem: &str| Invalid::new(format!("{} {problem}", quote(text)));
    if text.is_empty() {
        return Err(invalid("is not the name of an account").fix("write one, such as \"nobody\""));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid("is a number").fix("write the name of the account"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    match text.len() <= ACCOUNT_BYTES_MAX && text.bytes().all(plain) && !text.starts_with('-') {
        true => Ok(text.to_owned()),
        false => Err(invalid("is not the name of an account")),
    }
}

/// Checks the name of a network interface (`dev_valid_name` in the kernel's net/core/dev.c).
pub(in crate::config) fn check_interface(text: &str) -> Result<String, Invalid> {
    let valid = (1..=INTERFACE_BYTES_MAX).contains(&text.len())
        && !matches!(text, "." | "..")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':');
    match valid {
        true => Ok(text.to_owned()),
        false => Err(
            Invalid::new(format!("{} is not the name of an interface", quote(text)))
                .fix("`ip link` lists them"),
        ),
    }
}

/// Checks the NAME of `[upstream.NAME]`.
pub(in crate::config) fn check_upstream_name(text: &str) -> Result<(), Invalid> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    match (1..=UPSTREAM_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain) {
        true => Ok(()),
        false => Err(
            Invalid::new(format!("{} cannot name an upstream", quote(text))).fix(format!(
                "use up to {UPSTREAM_BYTES_MAX} letters, digits, `-`, `_` and `.`"
            )),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_account, check_interface, check_upstream_name};

    #[test]
    fn names() {
        for name in ["edge", "www-data", "_edge", "a.b"] {
            check_account(name).unwrap();
        }
        for name in ["eth0", "enp3s0f1", "wg-home", "eth0.100"] {
            check_interface(name).unwrap();
        }
        for name in ["tools", "tools-2", "v1.api_x"] {
            check_upstream_name(name).unwrap();
        }
    }

    #[test]
    fn what_is_wrong() {
        let account = |text: &str| check_account(text).unwrap_err().to_string();
        let interface = |text: &str| check_interface(text).unwrap_err().to_string();
        let upstream = |text: &str| check_upstream_name(text).unwrap_err().to_string();
        insta::assert_snapshot!(account(""), @r#""" is not the name of an account; write one, such as "nobody""#);
        insta::assert_snapshot!(account("1000"), @r#""1000" is a number; write the name of the account"#);
        insta::assert_snapshot!(account("a b"), @r#""a b" is not the name of an account"#);
        insta::assert_snapshot!(interface("a-very-long-interface"), @r#""a-very-long-interface" is not the name of an interface; `ip link` lists them"#);
        insta::assert_snapshot!(interface("eth0:1"), @r#""eth0:1" is not the name of an interface; `ip link` lists them"#);
        insta::assert_snapshot!(upstream("my tools"), @r#""my tools" cannot name an upstream; use up to 64 letters, digits, `-`, `_` and `.`"#);
        insta::assert_snapshot!(upstream(""), @r#""" cannot name an upstream; use up to 64 letters, digits, `-`, `_` and `.`"#);
    }
}

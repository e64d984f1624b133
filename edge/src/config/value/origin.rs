//! Origins of web pages (RFC 6454 §6.1, WHATWG Fetch "Origin header").

use super::{Invalid, quote};

/// `scheme://host[:port]` as browsers write it, `null`, or `*`; letters come out in lower case.
pub(in crate::config) fn check_origin(text: &str) -> Result<String, Invalid> {
    if matches!(text, "null" | "*") {
        return Ok(text.to_owned());
    }
    let invalid = |problem: &str| Invalid::new(format!("{} {problem}", quote(text)));
    let Some((scheme, host)) = text.split_once("://") else {
        return Err(
            invalid("has no scheme").fix(format!("write {}", quote(&format!("https://{text}"))))
        );
    };
    let visible = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if scheme.is_empty() || host.is_empty() || !visible || host.contains('@') {
        return Err(invalid("is no origin").fix("write one such as \"https://app.example.com\""));
    }
    if let Some((name, _)) = host.split_once(['/', '?', '#']) {
        let origin = format!("{scheme}://{name}");
        return Err(invalid("goes on after the host").fix(format!("write {}", quote(&origin))));
    }
    Ok(text.to_ascii_lowercase())
}

/// The name in `Mcp-Param-NAME`: a token (RFC 9110 §5.6.2); letters come out in lower case.
pub(in crate::config) fn check_param_name(text: &str) -> Result<String, Invalid> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match !text.is_empty() && text.len() <= 64 && text.bytes().all(is_token) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(Invalid::new(format!(
            "{} is no name of a header parameter; write one such as \"param:region\"",
            quote(text)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_a_scheme_and_end_with_the_host() {
        assert_eq!(
            check_origin("HTTPS://App.Example:8443").as_deref(),
            Ok("https://app.example:8443")
        );
        assert_eq!(check_origin("null").as_deref(), Ok("null"));
        assert_eq!(
            check_origin("vscode-webview://id").as_deref(),
            Ok("vscode-webview://id")
        );
        for (bad, fix) in [
            ("app.example", "https://app.example"),
            ("https://app.example/", "https://app.example"),
            ("https://a/b?c", "https://a"),
        ] {
            let error = check_origin(bad).expect_err(bad).to_string();
            assert!(error.ends_with(&format!("write {fix:?}")), "{error}");
        }
        for bad in ["", "https://", "://a", "https://u@a", "https://a b"] {
            assert!(check_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parameters_are_tokens() {
        assert_eq!(check_param_name("Region").as_deref(), Ok("region"));
        for bad in ["", "a b", "a:b", "r\u{e9}gion"] {
            assert!(check_param_name(bad).is_err(), "{bad}");
        }
    }
}

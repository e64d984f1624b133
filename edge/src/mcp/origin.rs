//! Which web pages may talk to a server through their visitors' browsers.

/// Whether the values of `Origin` pass a list of allowed ones.
///
/// Servers must answer 403 to an origin that is not allowed; no origin at all is no browser
/// (<https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#security-&-endpoint>).
/// `null` is an origin like any other, and two are one too many: which one a server would judge by
/// is anyone's guess.
pub fn origin_allowed<'a>(
    mut origins: impl Iterator<Item = &'a [u8]>,
    allowed: Option<&[String]>,
) -> bool {
    let Some(origin) = origins.next() else {
        return true;
    };
    if origins.next().is_some() {
        return false;
    }
    allowed.is_none_or(|allowed| {
        allowed
            .iter()
            .any(|one| one == "*" || origin.eq_ignore_ascii_case(one.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origins: &[&str], list: Option<&[&str]>) -> bool {
        let list: Option<Vec<String>> = list.map(|l| l.iter().map(|s| (*s).to_owned()).collect());
        origin_allowed(origins.iter().map(|o| o.as_bytes()), list.as_deref())
    }

    #[test]
    fn absent_passes_and_everything_else_must_be_listed_once() {
        let list: Option<&[&str]> = Some(&["https://app.example", "null"]);
        assert!(allowed(&[], list));
        assert!(allowed(&["https://app.example"], list));
        assert!(allowed(&["HTTPS://App.Example"], list));
        assert!(allowed(&["null"], list));
        for bad in [
            "",
            "https://app.example:8443",
            "https://app.example.evil",
            "http://app.example",
        ] {
            assert!(!allowed(&[bad], list), "{bad}");
        }
        assert!(!allowed(
            &["https://app.example", "https://app.example"],
            list
        ));
        assert!(!allowed(&["null"], Some(&[])));
        assert!(allowed(&["https://any.example"], Some(&["*"])));
        assert!(allowed(&["https://any.example"], None));
        assert!(!allowed(&["a", "b"], None));
    }
}

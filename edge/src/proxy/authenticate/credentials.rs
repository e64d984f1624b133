//! Keys and passwords of clients, against those that a route knows.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;

use crate::clock::monotonic_ns;
use crate::config::{ApiKeys, BasicAuth};
use crate::limit::{ClientKey, Offence};
use crate::message::{Fields, RequestHead};
use crate::proxy::configured::Proxy;
use crate::proxy::exchange::Peer;
use crate::proxy::guard::Refusal;
use crate::proxy::reply::Reply;

/// When to come back where too many passwords wait to be checked.
const TRY_AGAIN_SECS: &str = "1";

/// What a request shows in a field.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown<T> {
    Nothing,
    Credentials(T),
    /// Something that is none, or two of them.
    Nonsense,
}

impl Proxy {
    /// Checks the key of a request, and names the client by it.
    pub(super) fn check_key(
        &self,
        keys: &ApiKeys,
        head: &RequestHead,
        peer: &Peer,
    ) -> Result<(), Refusal> {
        let field = &*keys.field;
        let shown = match field {
            "authorization" => of_scheme(&head.fields, b"bearer"),
            field => only(&head.fields, field),
        };
        let challenge = match field {
            "authorization" => "Bearer realm=\"edge\"".to_owned(),
            field => format!("ApiKey header=\"{field}\""),
        };
        let known = match shown {
            Shown::Nothing => return Err(challenged(&challenge, "no_credentials")),
            Shown::Nonsense => None,
            Shown::Credentials(key) => {
                let mut hash = [0; 32];
                hash.copy_from_slice(digest(&SHA256, key).as_ref());
                keys.names.find(&hash)
            }
        };
        match known {
            Some(name) => {
                peer.identify(name);
                Ok(())
            }
            None => {
                self.offence_of(peer, Offence::Auth);
                // RFC 6750 §3.1.
                let challenge = match field {
                    "authorization" => challenge + ", error=\"invalid_token\"",
                    _ => challenge,
                };
                Err(challenged(&challenge, "bad_credentials"))
            }
        }
    }

    /// Checks name and password of a request (RFC 7617).
    pub(super) async fn check_password(
        &self,
        basic: &BasicAuth,
        head: &RequestHead,
        peer: &Peer,
    ) -> Result<(), Refusal> {
        let realm = &basic.realm;
        let challenge = || format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
        let pair = match of_scheme(&head.fields, b"basic") {
            Shown::Nothing => return Err(challenged(&challenge(), "no_credentials")),
            Shown::Nonsense => None,
            Shown::Credentials(encoded) => name_and_password(encoded),
        };
        let is_right = match &pair {
            Some((name, password)) => self.is_right(basic, name, password, peer).await?,
            None => false,
        };
        match pair.filter(|_| is_right) {
            Some((name, _)) => {
                peer.identify(&name);
                Ok(())
            }
            None => {
                self.offence_of(peer, Offence::Auth);
                Err(challenged(&challenge(), "bad_credentials"))
            }
        }
    }

    /// Whether a user has this password. For a name that nobody has it takes as long to say no.
    async fn is_right(
        &self,
        basic: &BasicAuth,
        name: &str,
        password: &[u8],
        peer: &Peer,
    ) -> Result<bool, Refusal> {
        let users = &basic.users;
        let known = users.find(name);
        let Some(hash) = known.or_else(|| users.decoy()) else {
            return Ok(false);
        };
        let tag = self.verified.tag(name, password, hash);
        if known.is_some() && self.verified.has(&tag, monotonic_ns()) {
            return Ok(true);
        }
        let busy = || Refusal {
            reply: Some(
                Reply::new(StatusCode::SERVICE_UNAVAILABLE).with("retry-after", TRY_AGAIN_SECS),
            ),
            reason: Some("auth_busy"),
        };
        let client = ClientKey::from_ip(peer.addr.ip(), self.ipv6_prefix);
        let passwords = self.passwords.as_ref().ok_or_else(busy)?;
        let checking = passwords
            .check(client, hash, password)
            .map_err(|_| busy())?;
        let is_right = checking.await.map_err(|_| busy())? && known.is_some();
        if is_right {
            self.verified.remember(tag, monotonic_ns());
        }
        Ok(is_right)
    }
}

fn challenged(challenge: &str, reason: &'static str) -> Refusal {
    Refusal {
        reply: Some(Reply::new(StatusCode::UNAUTHORIZED).with("www-authenticate", challenge)),
        reason: Some(reason),
    }
}

/// The value of a field that stands there once.
pub(super) fn only<'a>(fields: &'a Fields, name: &str) -> Shown<&'a [u8]> {
    let mut values = fields.values_of(name);
    match (values.next(), values.next()) {
        (None, _) => Shown::Nothing,
        (Some(value), None) => Shown::Credentials(value.trim_ascii()),
        (Some(_), Some(_)) => Shown::Nonsense,
    }
}

/// What follows the scheme in `Authorization` (RFC 9110 §11.4). Another scheme shows nothing that is
/// asked for.
fn of_scheme<'a>(fields: &'a Fields, scheme: &[u8]) -> Shown<&'a [u8]> {
    let Shown::Credentials(value) = only(fields, "authorization") else {
        return only(fields, "authorization");
    };
    match value.split_at_checked(scheme.len()) {
        Some((found, rest)) if found.eq_ignore_ascii_case(scheme) => match rest {
            [b' ', token @ ..] => Shown::Credentials(token.trim_ascii()),
            _ => Shown::Nonsense,
        },
        _ => Shown::Nothing,
    }
}

/// `base64(name:password)`; names are text, passwords are bytes.
fn name_and_password(encoded: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut decoded = STANDARD.decode(encoded).ok()?;
    let colon = memchr::memchr(b':', &decoded)?;
    let password = decoded.split_off(colon + 1);
    decoded.pop();
    Some((String::from_utf8(decoded).ok()?, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(values: &[&str]) -> Fields {
        let mut fields = Fields::default();
        for value in values {
            fields.push(b"Authorization", value.as_bytes());
        }
        fields
    }

    #[test]
    fn what_requests_show() {
        let shown = |values: &[&str]| match of_scheme(&fields(values), b"bearer") {
            Shown::Credentials(token) => String::from_utf8_lossy(token).into_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(shown(&["Bearer abc"]), "abc");
        assert_eq!(shown(&["bEARER  abc "]), "abc");
        assert_eq!(shown(&[]), "Nothing");
        assert_eq!(shown(&["Basic abc"]), "Nothing");
        assert_eq!(shown(&["Bear"]), "Nothing");
        assert_eq!(shown(&["Bearer"]), "Nonsense");
        assert_eq!(shown(&["Bearerabc"]), "Nonsense");
        assert_eq!(shown(&["Bearer a", "Bearer b"]), "Nonsense");
    }

    #[test]
    fn names_end_at_the_first_colon() {
        let pair = |text: &str| name_and_password(STANDARD.encode(text).as_bytes());
        assert_eq!(pair("ann:a:b"), Some(("ann".into(), b"a:b".to_vec())));
        assert_eq!(pair(":"), Some((String::new(), Vec::new())));
        assert_eq!(pair("ann"), None);
        assert_eq!(name_and_password(b"YW5uOng"), None, "it lacks its padding");
        assert_eq!(name_and_password(b"!"), None);
        assert_eq!(
            name_and_password(STANDARD.encode(b"\xff:x").as_bytes()),
            None
        );
    }
}

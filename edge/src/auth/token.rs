//! What a token proves.

use std::collections::HashMap;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{AlgorithmFamily, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use super::keys::KeySet;
use crate::config::Jwt;

/// Tokens are a kilobyte or two.
const TOKEN_MAX: usize = 16 * 1024;

/// Which tokens are good.
#[derive(Clone, Debug)]
pub struct Verifier {
    issuer: String,
    audiences: Vec<String>,
    leeway_s: u64,
    /// Claims that somebody wants to know.
    wanted: Vec<String>,
}

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The second, since 1970, in which it ends.
    pub expires_s: u64,
    /// Whom it speaks for.
    pub subject: Option<String>,
    scopes: Vec<String>,
    /// Of the wanted ones, those that are one value, as text.
    values: Vec<(String, String)>,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No JWT, or not signed by the issuer.
    #[error("the token is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// It is meant for somebody else.
    #[error("the token is not meant for this resource")]
    Audience,
    /// Signed with a key that is not known, perhaps a new one.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
}

impl TokenError {
    /// A short token for the access log.
    pub fn reason(self) -> &'static str {
        match self {
            TokenError::Invalid => "token_invalid",
            TokenError::Expired => "token_expired",
            TokenError::Audience => "token_audience",
            TokenError::UnknownKey => "token_key",
        }
    }
}

#[derive(Deserialize)]
struct Payload {
    exp: u64,
    sub: Option<String>,
    scope: Option<String>,
    scp: Option<OneOrMany>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Verifier {
    /// Tokens of the issuer for any of its audiences are good; `wanted` are claims to remember of
    /// them.
    pub fn new(jwt: &Jwt, wanted: Vec<String>) -> Verifier {
        Verifier {
            issuer: jwt.issuer.clone(),
            audiences: jwt.audiences.clone(),
            leeway_s: jwt.leeway.as_secs(),
            wanted,
        }
    }

    /// Judges a token by the keys that are known.
    pub fn verify(&self, token: &[u8], keys: &KeySet) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_MAX {
            return Err(TokenError::Invalid);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        // RFC 8725 §3.1: the algorithm is one that fits the key, whatever the token says.
        if AlgorithmFamily::Hmac.algorithms().contains(&header.alg) {
            return Err(TokenError::Invalid);
        }
        let mut validation = Validation::new(header.alg);
        validation.leeway = self.leeway_s;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&self.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let mut verdict = TokenError::UnknownKey;
        for key in keys.candidates(header.kid.as_deref(), header.alg) {
            match decode::<Payload>(token, key, &validation) {
                Ok(token) => return Ok(Claims::of(token.claims, &self.wanted)),
                Err(error) => {
                    verdict = match error.kind() {
                        ErrorKind::ExpiredSignature => TokenError::Expired,
                        ErrorKind::InvalidAudience => TokenError::Audience,
                        _ => TokenError::Invalid,
                    }
                }
            }
        }
        Err(verdict)
    }
}

impl Claims {
    /// The first of the scopes that it lacks.
    pub fn lacks<'a>(&self, mut wanted: impl Iterator<Item = &'a String>) -> Option<&'a str> {
        wanted
            .find(|scope| !self.scopes.contains(scope))
            .map(String::as_str)
    }

    /// What the token says under this name, as text; `None` for what is no text, number or flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        match name {
            "sub" => self.subject.as_deref(),
            name => {
                let mut values = self.values.iter();
                values
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| &**value)
            }
        }
    }

    fn of(mut payload: Payload, wanted: &[String]) -> Claims {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut scopes = payload.scope.as_deref().map(words).unwrap_or_default();
        // RFC 9068 §2.2.3 says `scope`; some servers say `scp`.
        match payload.scp {
            Some(OneOrMany::One(text)) => scopes.extend(words(&text)),
            Some(OneOrMany::Many(list)) => scopes.extend(list),
            None => {}
        }
        let value = |name: &String| {
            let text = match payload.others.remove(name)? {
                Value::String(text) => text,
                other @ (Value::Number(_) | Value::Bool(_)) => other.to_string(),
                _ => return None,
            };
            Some((name.clone(), text))
        };
        Claims {
            expires_s: payload.exp,
            subject: payload.sub,
            scopes,
            values: wanted.iter().filter_map(value).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://as.example";
    const RESOURCE: &str = "https://mcp.example.com/mcp";

    /// An authorization server with one key.
    struct Server {
        pair: EcdsaKeyPair,
    }

    impl Server {
        fn new() -> Server {
            let random = SystemRandom::new();
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).expect("a key");
            Server { pair }
        }

        fn keys(&self, id: &str) -> Value {
            let point = self.pair.public_key().as_ref();
            let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            json!({"keys": [
                {"kty": "new kind", "kid": "odd"},
                {"kty": "oct", "kid": id, "k": part(b"published secret, worth nothing!"), "alg": "HS256"},
                {"kty": "EC", "crv": "P-256", "kid": id, "alg": "ES256", "use": "sig",
                 "x": part(&point[1..33]), "y": part(&point[33..65])},
            ]})
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let message = format!("{}.{}", part(header), part(claims));
            let signature = self
                .pair
                .sign(&SystemRandom::new(), message.as_bytes())
                .expect("signed");
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    fn verifier(leeway_s: u64) -> Verifier {
        let jwt = Jwt {
            issuer: ISSUER.to_owned(),
            jwks: None,
            resource: None,
            audiences: vec![RESOURCE.to_owned()],
            scopes: Vec::new(),
            leeway: std::time::Duration::from_secs(leeway_s),
        };
        Verifier::new(&jwt, Vec::new())
    }

    fn now_s() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs()
    }

    fn claims(change: &[(&str, Value)]) -> Value {
        let mut claims = json!({"iss": ISSUER, "aud": RESOURCE, "exp": now_s() + 300, "sub": "u", "scope": "a b"});
        for (name, value) in change {
            match value {
                Value::Null => drop(claims.as_object_mut().expect("an object").remove(*name)),
                value => claims[*name] = value.clone(),
            }
        }
        claims
    }

    fn verify(server: &Server, header: &Value, claims: &Value) -> Result<Claims, TokenError> {
        let keys = KeySet::parse(server.keys("k1").to_string().as_bytes()).expect("keys");
        let verifier = verifier(30);
        verifier.verify(server.sign(header, claims).as_bytes(), &keys)
    }

    #[test]
    fn good_tokens_and_what_they_say() {
        let server = Server::new();
        let header = json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"});
        let good = verify(&server, &header, &claims(&[])).expect("good");
        assert_eq!(good.subject.as_deref(), Some("u"));
        let wanted = |scopes: &[&str]| scopes.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(good.lacks(wanted(&["a", "b"]).iter()), None);
        assert_eq!(good.lacks(wanted(&["a", "c"]).iter()), Some("c"));
        let listed = claims(&[
            ("aud", json!(["https://other", RESOURCE])),
            ("scope", Value::Null),
            ("scp", json!(["x", "y"])),
        ]);
        let good =
            verify(&server, &json!({"alg": "ES256"}), &listed).expect("no kid, several audiences");
        assert_eq!(good.lacks(wanted(&["x", "y"]).iter()), None);
    }

    #[test]
    fn everything_else_is_refused() {
        let server = Server::new();
        let header = json!({"alg": "ES256", "kid": "k1"});
        for (change, expected) in [
            (
                ("aud", json!("https://mcp.example.com/other")),
                TokenError::Audience,
            ),
            (("aud", Value::Null), TokenError::Invalid),
            (("iss", json!("https://evil.example")), TokenError::Invalid),
            (("iss", Value::Null), TokenError::Invalid),
            (("exp", json!(now_s() - 60)), TokenError::Expired),
            (("exp", Value::Null), TokenError::Invalid),
            (("nbf", json!(now_s() + 600)), TokenError::Invalid),
        ] {
            let shown = format!("{change:?}");
            assert_eq!(
                verify(&server, &header, &claims(&[change])),
                Err(expected),
                "{shown}"
            );
        }
        let with = |header: Value| verify(&server, &header, &claims(&[]));
        assert_eq!(
            with(json!({"alg": "ES256", "kid": "k2"})),
            Err(TokenError::UnknownKey)
        );
        assert_eq!(
            with(json!({"alg": "HS256", "kid": "k1"})),
            Err(TokenError::Invalid)
        );
        assert_eq!(
            with(json!({"alg": "none", "kid": "k1"})),
            Err(TokenError::Invalid)
        );
        assert_eq!(
            with(json!({"alg": "RS256", "kid": "k1"})),
            Err(TokenError::UnknownKey)
        );

        let keys = KeySet::parse(Server::new().keys("k1").to_string().as_bytes()).expect("keys");
        let verifier = verifier(30);
        let foreign = server.sign(&header, &claims(&[]));
        assert_eq!(
            verifier.verify(foreign.as_bytes(), &keys),
            Err(TokenError::Invalid)
        );
        for junk in ["", "a.b.c", "..", &"x".repeat(20_000)] {
            assert_eq!(
                verifier.verify(junk.as_bytes(), &keys),
                Err(TokenError::Invalid)
            );
        }
    }

    #[test]
    fn a_set_without_a_usable_key_is_none() {
        for json in [
            "",
            "{}",
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}"#,
        ] {
            assert!(KeySet::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}

//! Sessions without a table: the server is written, sealed, into the id that the client keeps.
//!
//! Several edges that share a secret then agree on every session, and so does an edge with itself
//! after a restart. The id is `e1.` and base64url of nonce and sealed server tag and original id
//! (AES-256-GCM-SIV, RFC 8452: a nonce drawn twice gives nothing away), bound to the upstream. The
//! key is derived from the secret (HKDF-SHA-256, RFC 5869). Several secrets are for changing them:
//! the first seals, all of them open.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::session::ServerTag;

const PREFIX: &str = "e1.";
const SALT: &[u8] = b"edge mcp session e1";
const TAG_LEN: usize = 4;
/// Ids of servers are short, or a signed token at most; a longer one is not sealed, and then not known
/// when it comes back.
const ID_MAX: usize = 4096;

/// Seals and opens session ids.
pub struct Sealer {
    keys: Vec<RandomizedNonceKey>,
}

impl Sealer {
    /// Of secrets, the first of which seals; `None` without any.
    pub fn new(secrets: &[String]) -> Option<Sealer> {
        let key = |secret: &String| {
            let mut key = [0; 32];
            Salt::new(HKDF_SHA256, SALT)
                .extract(secret.as_bytes())
                .expand(&[b"key"], HKDF_SHA256)
                .and_then(|okm| okm.fill(&mut key))
                .and_then(|()| RandomizedNonceKey::new(&AES_256_GCM_SIV, &key))
                .expect("the key has the length that the algorithm wants")
        };
        let keys: Vec<_> = secrets.iter().map(key).collect();
        (!keys.is_empty()).then_some(Sealer { keys })
    }

    /// The id that the client gets for a session of a server.
    pub fn seal(&self, upstream: &str, server: ServerTag, id: &[u8]) -> Option<String> {
        if id.len() > ID_MAX {
            return None;
        }
        let mut sealed = [&server.to_bytes(), id].concat();
        let aad = Aad::from(upstream.as_bytes());
        let key = self.keys.first()?;
        let nonce = key.seal_in_place_append_tag(aad, &mut sealed).ok()?;
        let mut bytes = nonce.as_ref().to_vec();
        bytes.extend(sealed);
        Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The server and its own id of a session, from what the client sends.
    pub fn open(&self, upstream: &str, sealed: &[u8]) -> Option<(ServerTag, Vec<u8>)> {
        let text = sealed.strip_prefix(PREFIX.as_bytes())?;
        if text.len() > 2 * ID_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        self.keys.iter().find_map(|key| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut sealed = sealed.to_vec();
            let aad = Aad::from(upstream.as_bytes());
            let opened = key.open_in_place(nonce, aad, &mut sealed).ok()?;
            let (tag, id) = opened.split_first_chunk::<TAG_LEN>()?;
            Some((ServerTag::from_bytes(*tag), id.to_vec()))
        })
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer of {} keys", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(secrets: &[&str]) -> Sealer {
        let secrets: Vec<String> = secrets.iter().map(|s| (*s).to_owned()).collect();
        Sealer::new(&secrets).expect("there is one")
    }

    #[test]
    fn any_edge_with_the_secret_knows_the_server() {
        let server = ServerTag::of("127.0.0.1:8000");
        let sealed = sealer(&["one"])
            .seal("tools", server, b"abc-123")
            .expect("short");
        assert!(sealed.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!sealed.contains("abc"));
        let open = |sealer: Sealer, upstream| sealer.open(upstream, sealed.as_bytes());
        assert_eq!(
            open(sealer(&["one"]), "tools"),
            Some((server, b"abc-123".to_vec()))
        );
        assert_eq!(
            open(sealer(&["new", "one"]), "tools"),
            Some((server, b"abc-123".to_vec()))
        );
        assert_eq!(open(sealer(&["new"]), "tools"), None);
        let longest = sealer(&["one"])
            .seal("tools", server, &[b'x'; ID_MAX])
            .expect("short enough");
        assert_eq!(
            sealer(&["one"]).open("tools", longest.as_bytes()),
            Some((server, vec![b'x'; ID_MAX]))
        );
        assert_eq!(open(sealer(&["one"]), "other"), None);
    }

    #[test]
    fn what_was_touched_or_made_up_is_not_opened() {
        let sealer = sealer(&["one"]);
        let sealed = sealer
            .seal("tools", ServerTag::of("a"), b"id")
            .expect("short");
        for at in PREFIX.len()..sealed.len() {
            let mut other = sealed.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(sealer.open("tools", &other), None, "{at}");
        }
        for made_up in ["", "e1.", "e1.AAAA", "id", "e1.*", &"e1.A".repeat(4000)] {
            assert_eq!(sealer.open("tools", made_up.as_bytes()), None);
        }
        assert_ne!(
            sealer.seal("tools", ServerTag::of("a"), b"id"),
            Some(sealed)
        );
        assert_eq!(
            sealer.seal("tools", ServerTag::of("a"), &[b'x'; ID_MAX + 1]),
            None
        );
        assert!(Sealer::new(&[]).is_none());
    }
}

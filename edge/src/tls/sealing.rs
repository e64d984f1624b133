//! Cipher suites that copy what they seal in pieces, see [`crate::copying`].

use rustls::crypto::cipher::{
    AeadKey, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundOpaqueMessage,
    OutboundPlainMessage, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{
    CipherSuiteCommon, ConnectionTrafficSecrets, Error, SupportedCipherSuite, Tls13CipherSuite,
};

use super::records::RECORD_PLAINTEXT_MAX;
use crate::copying::{PIECE_BYTES, pieces};

/// The same suite; one of TLS 1.2, which hardly anybody speaks, as it is. Never freed.
pub(super) fn in_pieces(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let SupportedCipherSuite::Tls13(suite) = suite else {
        return suite;
    };
    let common = &suite.common;
    let suite = Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: common.suite,
            hash_provider: common.hash_provider,
            confidentiality_limit: common.confidentiality_limit,
        },
        hkdf_provider: suite.hkdf_provider,
        aead_alg: Box::leak(Box::new(Algorithm(suite.aead_alg))),
        quic: suite.quic,
    };
    SupportedCipherSuite::Tls13(Box::leak(Box::new(suite)))
}

struct Algorithm(&'static dyn Tls13AeadAlgorithm);

impl Tls13AeadAlgorithm for Algorithm {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Encrypter(self.0.encrypter(key, iv)))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

struct Encrypter(Box<dyn MessageEncrypter>);

impl MessageEncrypter for Encrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        number: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let whole = match message.payload {
            OutboundChunks::Single(whole @ [_, ..]) if whole.len() <= RECORD_PLAINTEXT_MAX => whole,
            _ => return self.0.encrypt(message, number),
        };
        let mut places = [&[][..]; RECORD_PLAINTEXT_MAX / PIECE_BYTES];
        let mut count = 0;
        for (place, piece) in places.iter_mut().zip(pieces(whole)) {
            *place = piece;
            count += 1;
        }
        let message = OutboundPlainMessage {
            typ: message.typ,
            version: message.version,
            payload: OutboundChunks::new(&places[..count]),
        };
        self.0.encrypt(message, number)
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        self.0.encrypted_payload_len(length)
    }
}

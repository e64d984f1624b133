//! Sessions against `rustls` clients, in memory.

use rustls::crypto::aws_lc_rs::kx_group;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, NamedGroup, quic};

use super::*;
use crate::tls::for_quic;
use crate::tls::testing::{Authority, Client, Wire};

mod abuse;
mod memory;
mod random;

/// A joined pair after its handshake, for one host called `a.test`.
fn connected(with: Client) -> Wire {
    let authority = Authority::new();
    let mut wire = Wire::new(
        &authority.server(&[&["a.test"]]),
        &authority.client(with),
        "a.test",
    );
    wire.run().unwrap();
    assert!(!wire.session.is_handshaking() && !wire.client.is_handshaking());
    wire
}

fn version(version: &'static rustls::SupportedProtocolVersion) -> Client {
    Client {
        version,
        ..Client::default()
    }
}

/// Bytes that repeat at no power of two.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[test]
fn both_versions_carry_data_both_ways() {
    for (protocol, expected) in [(&TLS12, Version::Tls12), (&TLS13, Version::Tls13)] {
        let mut wire = connected(version(protocol));
        assert_eq!(wire.session.version(), Some(expected));
        assert_eq!(wire.session.server_name(), Some("a.test"));
        assert!(!wire.session.is_resumed());
        wire.upload(b"question").unwrap();
        wire.download(b"answer").unwrap();
        assert_eq!(wire.got, b"question");
        assert_eq!(wire.client_got, b"answer");
    }
}

#[test]
fn a_handshake_may_arrive_a_byte_at_a_time() {
    for protocol in [&TLS12, &TLS13] {
        let authority = Authority::new();
        let server = authority.server(&[&["a.test"]]);
        let mut wire = Wire::new(&server, &authority.client(version(protocol)), "a.test");
        wire.cuts = vec![1];
        wire.run().unwrap();
        assert!(!wire.session.is_handshaking());
        wire.upload(b"slow").unwrap();
        assert_eq!(wire.got, b"slow");
    }
}

#[test]
fn five_megabytes_pass_both_ways() {
    let data = pattern(5_000_000);
    for protocol in [&TLS12, &TLS13] {
        let mut wire = connected(version(protocol));
        wire.cuts = vec![65_536, 1_000, 17, 131_072];
        wire.upload(&data).unwrap();
        assert!(wire.got == data);
        wire.download(&data).unwrap();
        assert!(wire.client_got == data);
    }
}

#[test]
fn a_small_write_is_one_record_and_a_large_one_is_cut() {
    for protocol in [&TLS12, &TLS13] {
        let mut wire = connected(version(protocol));
        for (len, records) in [(0, 0), (1, 1), (16_384, 1), (16_385, 2), (100_000, 7)] {
            let mut out = BytesMut::new();
            wire.session.encrypt(&pattern(len), &mut out).unwrap();
            assert_eq!(record_types(&out), vec![23; records], "{len} bytes");
            wire.deliver(&out).unwrap();
        }
    }
}

/// The content types of a run of whole records.
fn record_types(mut bytes: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        types.push(*kind);
        bytes = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    types
}

#[test]
fn tickets_resume_on_another_session_of_the_same_configuration() {
    for protocol in [&TLS12, &TLS13] {
        let authority = Authority::new();
        let server = authority.server(&[&["a.test"]]);
        let client = authority.client(version(protocol));
        let mut first = Wire::new(&server, &client, "a.test");
        first.run().unwrap();
        assert!(!first.session.is_resumed());
        if protocol.version == ProtocolVersion::TLSv1_3 {
            assert_eq!(first.client.tls13_tickets_received(), 2);
        }

        let mut second = Wire::new(&server, &client, "a.test");
        second.run().unwrap();
        assert!(second.session.is_resumed());
        assert_eq!(second.session.server_name(), Some("a.test"));
        second.download(b"again").unwrap();
        assert_eq!(second.client_got, b"again");

        let other = authority.server(&[&["a.test"]]);
        let mut stranger = Wire::new(&other, &client, "a.test");
        stranger.run().unwrap();
        assert!(!stranger.session.is_resumed(), "keys of another process");
    }
}

/// And the other way round: both have the keys of one `Tickets`.
#[test]
fn a_ticket_of_tcp_resumes_over_quic() {
    let authority = Authority::new();
    let server = authority.server(&[&["a.test"]]);
    let client = authority.client(version(&TLS13));
    Wire::new(&server, &client, "a.test").run().unwrap();

    let mut of_quic = (*client).clone();
    of_quic.alpn_protocols = vec![b"h3".to_vec()];
    let quic = |server: &Arc<ServerConfig>| {
        let (version, name) = (quic::Version::V1, "a.test".try_into().unwrap());
        let mut client =
            quic::ClientConnection::new(Arc::new(of_quic.clone()), version, name, vec![]).unwrap();
        let server = for_quic(server, None);
        let mut server = quic::ServerConnection::new(server, version, vec![]).unwrap();
        // Bytes of one key at a time.
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_hs(&mut bytes);
            server.read_hs(&bytes).unwrap();
            bytes.clear();
            server.write_hs(&mut bytes);
            client.read_hs(&bytes).unwrap();
        }
        let mut tickets = Vec::new();
        server.write_hs(&mut tickets);
        client.read_hs(&tickets).unwrap();
        server.handshake_kind()
    };
    assert_eq!(quic(&server), Some(HandshakeKind::Resumed));
    let other = authority.server(&[&["a.test"]]);
    assert_eq!(quic(&other), Some(HandshakeKind::Full), "other keys");

    let mut back = Wire::new(&other, &client, "a.test");
    back.run().unwrap();
    assert!(back.session.is_resumed(), "a ticket of QUIC over TCP");
}

#[test]
fn the_hybrid_group_and_the_classic_ones_are_agreed_on() {
    let all = connected(Client::default());
    assert_eq!(all.session.key_exchange(), Some(NamedGroup::X25519MLKEM768));

    // The client sends a share for a group that is not served: it is asked again (RFC 8446 §4.1.4).
    let second = connected(Client {
        groups: vec![kx_group::MLKEM1024, kx_group::X25519MLKEM768],
        ..Client::default()
    });
    assert_eq!(
        second.client.handshake_kind(),
        Some(HandshakeKind::FullWithHelloRetryRequest)
    );
    assert_eq!(
        second.session.key_exchange(),
        Some(NamedGroup::X25519MLKEM768)
    );

    for (group, name) in [
        (kx_group::X25519, NamedGroup::X25519),
        (kx_group::SECP256R1, NamedGroup::secp256r1),
        (kx_group::SECP384R1, NamedGroup::secp384r1),
    ] {
        for protocol in [&TLS12, &TLS13] {
            let wire = connected(Client {
                groups: vec![group],
                ..version(protocol)
            });
            assert_eq!(wire.session.key_exchange(), Some(name));
        }
    }
}

#[test]
fn http2_wins_whatever_the_order_and_a_client_without_alpn_is_served() {
    type Case = (&'static [&'static [u8]], Option<&'static [u8]>);
    let cases: [Case; 4] = [
        (&[b"http/1.1", b"h2"], Some(b"h2")),
        (&[b"h2", b"http/1.1"], Some(b"h2")),
        (&[b"http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ];
    for (offered, chosen) in cases {
        let wire = connected(Client {
            alpn: offered,
            ..Client::default()
        });
        assert_eq!(wire.session.alpn(), chosen, "{offered:?}");
        assert_eq!(wire.client.alpn_protocol(), chosen);
    }
}

#[test]
fn each_name_gets_its_certificate() {
    let authority = Authority::new();
    let server = authority.server(&[
        &["a.test", "127.0.0.1"],
        &["*.b.test"],
        &["exact.b.test"],
        &["*", "anything.else"],
    ]);
    // The client verifies the name, and every certificate holds the names of its host alone.
    for name in ["a.test", "x.b.test", "exact.b.test", "anything.else"] {
        let mut wire = Wire::new(&server, &authority.client(Client::default()), name);
        wire.run().unwrap();
        assert_eq!(wire.session.server_name(), Some(name));
    }
    // A client that connects to an address sends no name.
    let mut wire = Wire::new(&server, &authority.client(Client::default()), "127.0.0.1");
    wire.run().unwrap();
    assert_eq!(wire.session.server_name(), None);
}

#[test]
fn a_client_without_a_name_gets_the_first_host() {
    let authority = Authority::new();
    let server = authority.server(&[&["a.test"], &["b.test"]]);
    let silent = authority.client(Client {
        sni: false,
        ..Client::default()
    });
    let mut wire = Wire::new(&server, &silent, "a.test");
    wire.run().unwrap();
    assert_eq!(wire.session.server_name(), None);
}

#[test]
fn an_unknown_name_is_told_so() {
    for protocol in [&TLS12, &TLS13] {
        let authority = Authority::new();
        let server = authority.server(&[&["a.test"], &["*.b.test"]]);
        for name in ["c.test", "b.test", "x.y.b.test"] {
            let mut wire = Wire::new(&server, &authority.client(version(protocol)), name);
            let error = wire.run().unwrap_err();
            assert!(matches!(&error, SessionError::UnknownName(asked) if **asked == *name));
            assert!(error.is_peer_fault());
            assert_eq!(
                client_hears(&mut wire),
                rustls::Error::AlertReceived(AlertDescription::UnrecognisedName)
            );
        }
    }
}

/// Delivers what a failed session has to say; what the client makes of it.
fn client_hears(wire: &mut Wire) -> rustls::Error {
    let mut out = BytesMut::new();
    wire.session.drain_outgoing(&mut out);
    wire.deliver(&out).unwrap_err()
}

#[test]
fn a_key_update_from_the_client_is_followed_and_answered() {
    let mut wire = connected(Client::default());
    wire.upload(b"old key ").unwrap();
    wire.client.refresh_traffic_keys().unwrap();
    wire.upload(b"new key").unwrap();
    assert_eq!(wire.got, b"old key new key");

    // The answer to the update goes before the data, under the old key (RFC 8446 §4.6.3).
    let mut out = BytesMut::new();
    wire.session.encrypt(b"answer", &mut out).unwrap();
    assert_eq!(record_types(&out).len(), 2);
    wire.deliver(&out).unwrap();
    wire.download(b" and more").unwrap();
    assert_eq!(wire.client_got, b"answer and more");
}

#[test]
fn closing_is_said_and_heard() {
    for protocol in [&TLS12, &TLS13] {
        let mut wire = connected(version(protocol));
        wire.client.send_close_notify();
        wire.run().unwrap();
        assert!(wire.session.peer_closed());
        // The other direction stays open.
        wire.download(b"last words").unwrap();
        assert_eq!(wire.client_got, b"last words");

        let mut out = BytesMut::new();
        wire.session.close(&mut out);
        assert_eq!(record_types(&out).len(), 1);
        wire.deliver(&out).unwrap();
        assert!(wire.client.process_new_packets().unwrap().peer_has_closed());

        let mut again = BytesMut::new();
        wire.session.close(&mut again);
        assert!(again.is_empty());
        assert!(matches!(
            wire.session.encrypt(b"x", &mut again),
            Err(SessionError::Closed)
        ));
    }
}

#[test]
fn nothing_is_encrypted_before_the_handshake() {
    let authority = Authority::new();
    let mut session = Session::new(authority.server(&[&["a.test"]])).unwrap();
    let mut out = BytesMut::new();
    assert!(matches!(
        session.encrypt(b"early", &mut out),
        Err(SessionError::Handshaking)
    ));
    session.close(&mut out);
    assert!(out.is_empty());
}

//! Peers that break the rules: an error that says whose fault, an alert out, and no panic.

use super::*;

#[test]
fn a_corrupted_record_ends_the_session_with_an_alert() {
    for protocol in [&TLS12, &TLS13] {
        let mut wire = connected(version(protocol));
        std::io::Write::write_all(&mut wire.client.writer(), b"first").unwrap();
        let good = wire.take_from_client();
        std::io::Write::write_all(&mut wire.client.writer(), b"second").unwrap();
        let mut bad = wire.take_from_client();
        *bad.last_mut().unwrap() ^= 1;

        let error = wire.feed(&[good, bad].concat()).unwrap_err();
        assert!(error.is_peer_fault(), "{error}");
        assert_eq!(error.label(), "protocol");
        assert_eq!(wire.got, b"first", "what came before is still delivered");
        assert_eq!(
            client_hears(&mut wire),
            rustls::Error::AlertReceived(AlertDescription::BadRecordMac)
        );

        // Every later call fails alike, and the alert is not repeated.
        assert!(wire.session.process().is_err());
        let mut out = BytesMut::new();
        assert!(wire.session.encrypt(b"x", &mut out).is_err());
        wire.session.close(&mut out);
        assert!(out.is_empty());
    }
}

#[test]
fn bytes_that_are_no_tls_are_the_clients_fault() {
    let authority = Authority::new();
    let server = authority.server(&[&["a.test"]]);
    let cases: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &[0; 64],
        // Application data before any handshake.
        &[23, 3, 3, 0, 1, 0],
    ];
    for bytes in cases {
        let mut session = Session::new(server.clone()).unwrap();
        session.receive(BytesMut::from(bytes));
        let error = session.process().unwrap_err();
        assert!(error.is_peer_fault(), "{error}");
        let mut out = BytesMut::new();
        session.drain_outgoing(&mut out);
        assert_eq!(record_types(&out), [21], "{bytes:?}");
    }
}

#[test]
fn a_client_that_distrusts_the_certificate_is_not_blamed() {
    for protocol in [&TLS12, &TLS13] {
        // A new authority of the same name, and one never heard of.
        for name in ["ours", "another"] {
            let server = Authority::named("ours").server(&[&["a.test"]]);
            let stranger = Authority::named(name).client(version(protocol));
            let mut wire = Wire::new(&server, &stranger, "a.test");
            let hello = wire.take_from_client();
            wire.feed(&hello).unwrap();
            client_hears(&mut wire);
            let alert = wire.take_from_client();
            let error = wire.feed(&alert).unwrap_err();
            assert!(!error.is_peer_fault(), "{error}");
            assert_eq!(error.label(), "certificate_refused");
        }
    }
}

#[test]
fn an_old_protocol_finds_nothing_in_common() {
    // A TLS 1.0 client hello without extensions: version, random, no session, one suite, no
    // compression (RFC 2246 §7.4.1.2).
    let body = [&[3, 1][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    let message = [&[1, 0, 0, body.len() as u8][..], &body].concat();
    let record = [&[22, 3, 1, 0, message.len() as u8][..], &message].concat();

    let mut session = Session::new(Authority::new().server(&[&["a.test"]])).unwrap();
    session.receive(BytesMut::from(&record[..]));
    let error = session.process().unwrap_err();
    assert_eq!(error.label(), "incompatible", "{error}");
    assert!(error.is_peer_fault());
}

#[test]
fn an_endless_handshake_message_is_cut_off() {
    let mut session = Session::new(Authority::new().server(&[&["a.test"]])).unwrap();
    // A client hello that announces 60,000 bytes and comes a byte a record.
    let mut fragment = vec![22, 3, 1, 0, 4, 1, 0, 0xea, 0x60];
    let mut error = None;
    for _ in 0..60_000 {
        session.receive(BytesMut::from(&fragment[..]));
        if let Err(found) = session.process() {
            error = Some(found);
            break;
        }
        assert!(session.flow.incoming.len() <= UNFINISHED_BYTES_MAX);
        fragment = vec![22, 3, 1, 0, 1, 0];
    }
    let error = error.expect("the bound was met");
    assert!(matches!(error, SessionError::Oversized(_)));
    assert!(error.is_peer_fault());
    assert_eq!(session.flow.incoming.capacity(), 0);
}

#[test]
fn what_follows_a_close_is_dropped_unread() {
    let mut wire = connected(Client::default());
    wire.client.send_close_notify();
    let mut bytes = wire.take_from_client();
    bytes.extend_from_slice(&[0xff; 1000]);
    wire.feed(&bytes).unwrap();
    assert!(wire.session.peer_closed());
    wire.feed(&[0xff; 1000]).unwrap();
    assert_eq!(wire.session.flow.incoming.capacity(), 0);

    let mut wire = connected(Client::default());
    wire.session.close(&mut BytesMut::new());
    wire.feed(&[0xff; 1000]).unwrap();
    assert_eq!(wire.session.flow.incoming.capacity(), 0);
}

#[test]
fn a_flood_of_key_updates_is_refused() {
    let mut wire = connected(Client::default());
    let mut updates = Vec::new();
    for _ in 0..100 {
        wire.client.refresh_traffic_keys().unwrap();
        updates.extend(wire.take_from_client());
    }
    let error = wire.feed(&updates).unwrap_err();
    assert!(error.is_peer_fault(), "{error}");
}

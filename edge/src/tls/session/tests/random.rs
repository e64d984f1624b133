//! Random cuts and random bytes.

use std::sync::LazyLock;

use proptest::prelude::*;
use rustls::ClientConfig;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_cutting_of_the_stream_gives_the_same_data(
        thirteen: bool,
        cuts in prop::collection::vec(1usize..3000, 1..20),
        sizes in prop::collection::vec(0usize..40_000, 1..6),
    ) {
        let mut wire = Wire::new(&SHARED.server, SHARED.client(thirteen), "a.test");
        wire.cuts = cuts;
        wire.run().unwrap();
        let mut all = Vec::new();
        for size in sizes {
            let data = pattern(size);
            all.extend_from_slice(&data);
            wire.upload(&data).unwrap();
            wire.download(&data).unwrap();
        }
        prop_assert!(wire.got == all);
        prop_assert!(wire.client_got == all);
        prop_assert_eq!(wire.session.flow.incoming.capacity(), 0);
    }
}

/// Feeds pieces and checks the bounds after each.
fn survives(session: &mut Session, pieces: &[Vec<u8>]) {
    let mut failed = false;
    for piece in pieces {
        let before = session.flow.incoming.len();
        session.receive(BytesMut::from(&piece[..]));
        let result = session.process();
        assert!(!failed || result.is_err(), "a failed session came back");
        failed = result.is_err();
        assert!(session.take_plaintext().len() <= before + piece.len());
        assert!(session.flow.incoming.len() <= UNFINISHED_BYTES_MAX);
        assert!(session.flow.outgoing.len() <= UNFINISHED_BYTES_MAX);
        if failed {
            assert_eq!(session.flow.incoming.capacity(), 0);
        }
    }
    session.close(&mut BytesMut::new());
}

prop_compose! {
    /// Bytes that look like records: a plausible header before arbitrary content.
    fn record()(
        kind in prop_oneof![20u8..25, any::<u8>()],
        length_lies in prop::bool::weighted(0.1),
        body in prop::collection::vec(any::<u8>(), 0..600),
        lie: u16,
    ) -> Vec<u8> {
        let length = if length_lies { lie } else { body.len() as u16 };
        [&[kind, 3, 3][..], &length.to_be_bytes(), &body].concat()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 1..8),
    ) {
        let mut session = Session::new(SHARED.server.clone()).unwrap();
        survives(&mut session, &pieces);
    }

    #[test]
    fn records_of_any_content_never_panic(
        pieces in prop::collection::vec(record(), 1..12),
        connect: bool,
        thirteen: bool,
    ) {
        let mut wire = Wire::new(&SHARED.server, SHARED.client(thirteen), "a.test");
        if connect {
            wire.run().unwrap();
        }
        survives(&mut wire.session, &pieces);
    }

    #[test]
    fn a_damaged_handshake_never_panics(
        thirteen: bool,
        second_flight: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut wire = Wire::new(&SHARED.server, SHARED.client(thirteen), "a.test");
        if second_flight {
            let hello = wire.take_from_client();
            wire.feed(&hello).unwrap();
            let mut down = BytesMut::new();
            wire.session.drain_outgoing(&mut down);
            wire.deliver(&down).unwrap();
        }
        let mut bytes = wire.take_from_client();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let (one, two) = bytes.split_at(cut.index(bytes.len()));
        survives(&mut wire.session, &[one.to_vec(), two.to_vec()]);
    }
}

/// Made once: issuing certificates costs more than a case.
struct Shared {
    server: Arc<ServerConfig>,
    clients: [Arc<ClientConfig>; 2],
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let authority = Authority::new();
    Shared {
        server: authority.server(&[&["a.test"]]),
        clients: [&TLS12, &TLS13].map(|protocol| authority.client(version(protocol))),
    }
});

impl Shared {
    fn client(&self, thirteen: bool) -> &Arc<ClientConfig> {
        &self.clients[usize::from(thirteen)]
    }
}

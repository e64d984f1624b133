//! The same of connections over QUIC, whose packets have no connection in the kernel to go by.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, SendStream, TransportConfig};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use tokio::task::JoinSet;

use super::{PATIENCE, Workers};
use crate::config::Certificate;
use crate::files::Disk;
use crate::observe::testing;
use crate::quic::Keys;
use crate::tls::{self, Staples, Tickets};

const NAME: &str = "mcp.example.com";

/// Two workers that speak QUIC, their address, and whom their clients trust.
fn workers() -> (Workers, SocketAddr, CertificateDer<'static>) {
    let dir = tempfile::tempdir().expect("a directory");
    let pair = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
    let files = Certificate {
        chain: dir.path().join("chain.pem"),
        key: dir.path().join("key.pem"),
        ocsp: Default::default(),
    };
    std::fs::write(&files.chain, pair.cert.pem()).expect("our own directory");
    std::fs::write(&files.key, pair.signing_key.serialize_pem()).expect("our own directory");

    let mut config = testing::config();
    let free = UdpSocket::bind(("127.0.0.1", 0)).expect("a free port");
    let addr = free.local_addr().expect("it is bound");
    drop(free);
    config.listen.quic = vec![addr];
    let keys = Keys::derive(&files.key);
    config.hosts[0].certificate = Some(files);
    let (tickets, staples) = (Tickets::new().expect("random numbers"), Staples::default());
    let tls = tls::server_config(&config.hosts, config.tls, &Disk, &tickets, &staples);
    let tls = tls.expect("a certificate that serves");
    let root = pair.cert.der().clone();
    (Workers::start(config, Some((tls, keys))), addr, root)
}

/// A connection from a socket of its own, as the kernel's hash sends all of a socket to one worker.
struct Client {
    connection: Connection,
    _endpoint: Endpoint,
    _control: SendStream,
}

impl Client {
    async fn connect(to: SocketAddr, root: CertificateDer<'static>) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(root).expect("it is one");
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(tls::provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("it is there");
        let mut tls = tls.with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        let tls = QuicClientConfig::try_from(tls).expect("TLS 1.3 has the cipher of Initials");
        let mut config = ClientConfig::new(Arc::new(tls));
        let mut transport = TransportConfig::default();
        let idle = (PATIENCE / 2).try_into().expect("less than 2^62 ms");
        transport.max_idle_timeout(Some(idle));
        // Nobody times out while others are waited for.
        transport.keep_alive_interval(Some(PATIENCE / 10));
        config.transport_config(Arc::new(transport));

        let own = SocketAddr::from(([127, 0, 0, 1], 0));
        let endpoint = Endpoint::client(own).expect("a free port");
        let connecting = endpoint.connect_with(config, to, NAME);
        let connection = connecting.expect("an address").await.expect("they listen");
        // RFC 9114 §6.2.1: SETTINGS, none set.
        let mut control = connection.open_uni().await.expect("one is allowed");
        control.write_all(&[0, 4, 0]).await.expect("it is open");
        let client = Client {
            connection,
            _endpoint: endpoint,
            _control: control,
        };
        assert!(client.is_answered().await, "a new connection");
        client
    }

    /// Whether a request is answered; nothing listens where it would go.
    async fn is_answered(&self) -> bool {
        let asked = async {
            let (mut send, mut receive) = self.connection.open_bi().await.ok()?;
            // RFC 9204 §4.5: GET, https, / from the static table, and an :authority.
            let mut section = vec![0, 0, 0xd1, 0xd7, 0xc1, 0x50, NAME.len() as u8];
            section.extend(NAME.as_bytes());
            let head = [1, section.len() as u8];
            send.write_all(&[&head, &section[..]].concat()).await.ok()?;
            send.finish().ok()?;
            receive.read_to_end(65_536).await.ok()
        };
        let answer = tokio::time::timeout(2 * PATIENCE, asked).await;
        answer.ok().flatten().is_some_and(|bytes| !bytes.is_empty())
    }
}

async fn connect(count: usize, to: SocketAddr, root: &CertificateDer<'static>) -> Vec<Client> {
    let mut clients = JoinSet::new();
    for _ in 0..count {
        clients.spawn(Client::connect(to, root.clone()));
    }
    clients.join_all().await
}

/// Those of them that are still answered.
async fn answered(clients: Vec<Client>) -> Vec<Client> {
    let mut asked = JoinSet::new();
    for client in clients {
        asked.spawn(async move { client.is_answered().await.then_some(client) });
    }
    asked.join_all().await.into_iter().flatten().collect()
}

#[test]
fn quic_connections_stay_with_the_worker_that_did_not_fail() {
    const CLIENTS: usize = 16;
    let (workers, addr, root) = workers();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let clients = connect(CLIENTS, addr, &root).await;
        workers.fail(0, 1);
        // Of so many each worker has some.
        let others = answered(clients).await;
        let left = others.len();
        assert!(0 < left && left < CLIENTS, "{left} are left");
        // Those that are left are all the other one's: nothing that becomes of the first touches them.
        let anew = connect(CLIENTS, addr, &root).await;
        workers.fail(0, 2);
        let others = answered(others).await;
        assert_eq!(others.len(), left, "of the worker that went on");
        assert!(
            answered(anew).await.len() < CLIENTS,
            "of the one that failed"
        );
        workers.fail(1, 3);
        assert_eq!(answered(others).await.len(), 0, "their worker has failed");
    });
    workers.stop();
}

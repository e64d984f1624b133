//! The PROXY protocol towards servers: nginx reads what `edge` writes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::{ALPN_H1, Client, Nginx, Setup, free_port, light, wait_until};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn nginx_learns_of_every_client_and_of_checks() {
    let _machine = light();
    for (version, tls) in [("v1", false), ("v2", false), ("v1", true), ("v2", true)] {
        let setup = Setup::new("127.0.0.1:1");
        let dir = setup.dir.path().to_owned();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let (ssl, scheme, trust) = match tls {
            true => (
                "ssl; ssl_certificate localhost.pem; ssl_certificate_key localhost.key",
                "https://localhost:",
                "tls = { ca = \"ca.pem\" }\n",
            ),
            false => ("", "http://127.0.0.1:", ""),
        };
        let file = dir.join("nginx.conf");
        let text = format!(
            "events {{}}\nhttp {{\naccess_log checks.log;\nserver {{\nlisten {address} proxy_protocol {ssl};\n\
             location / {{ access_log off; return 200 \"$proxy_protocol_addr $connection_requests\\n\"; }}\n\
             location /health {{ return 204; }}\n}}\n}}\n"
        );
        std::fs::write(&file, text).expect("our own directory is writable");
        let mut nginx = Nginx::start(&dir, &file);
        let listens = wait_until(LIMIT, || TcpStream::connect(address).is_ok());
        assert!(
            listens && nginx.process.is_running(),
            "{}",
            nginx.process.output()
        );
        let edge = setup
            .upstream(&format!(
                "servers = [\"{scheme}{}\"]\nproxy_protocol = \"{version}\"\n{trust}\
                 check = {{ path = \"/health\", interval = \"100ms\", unhealthy = 1 }}",
                address.port()
            ))
            .start();
        let get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let from = |last: u8| {
            let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
            Client::plain_from(address, edge.http, LIMIT).expect("it listens")
        };
        let (mut nine, mut ten) = (from(9), from(10));
        // Each client keeps a connection of its own, and gets no other's.
        for round in 1..=3 {
            assert_eq!(
                nine.exchange(get).text(),
                format!("127.0.0.9 {round}\n"),
                "{version} {tls}"
            );
            assert_eq!(
                ten.exchange(get).text(),
                format!("127.0.0.10 {round}\n"),
                "{version} {tls}"
            );
        }
        assert_eq!(
            from(9).exchange(get).text(),
            "127.0.0.9 1\n",
            "another connection, another port"
        );
        let mut secure = Client::tls(edge.https, "localhost", &edge.authority().roots(), ALPN_H1);
        assert_eq!(secure.exchange(get).text(), "127.0.0.1 1\n");
        let passed = wait_until(LIMIT, || {
            edge.metrics()
                .sum("edge_server_checks_total", &["result=\"passed\""])
                >= 2.0
        });
        assert!(passed, "{}", edge.process.output());
        assert_eq!(edge.metrics().sum("edge_server_up", &[]), 1.0);
    }
}

//! Proxies in front.

use crate::config::tests::support::{after, load};

#[test]
fn who_sends_headers_of_the_proxy_protocol() {
    let listen = "[listen]\nhttp = [\"10.0.0.1:80\", \"[::1]:80\"]\n";
    for (keys, text) in [
        ("proxy_protocol = true", "must be a list of addresses"),
        ("proxy_protocol = [\"10.0.0.1\"]", "`proxy_protocol`: "),
        (
            "proxy_protocol = [\"10.0.0.2:80\"]",
            "edge.toml:7:19: `proxy_protocol`: 10.0.0.2:80 is no address of `https` or `http`",
        ),
        (
            "proxy_protocol = [\"10.0.0.1:80\"]",
            "`proxy_protocol`: nobody is trusted to send it; name the proxies in `trusted`",
        ),
    ] {
        let shown = after(&format!("{listen}{keys}"));
        assert!(shown.contains(text), "no {text:?} in {shown}");
    }
    let good = format!(
        "[[host]]\nnames = [\"*\"]\n[[host.route]]\nupstream = \"127.0.0.1:1\"\n{listen}\
         proxy_protocol = [\"[::1]:80\"]\n[forwarding]\ntrusted = [\"10.0.0.0/8\"]\n"
    );
    let config = load(&good)
        .unwrap_or_else(|errors| panic!("{errors}"))
        .config;
    assert_eq!(
        config.listen.proxy_protocol,
        ["[::1]:80".parse().expect("an address")]
    );
}

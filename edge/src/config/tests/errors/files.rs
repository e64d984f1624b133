//! Keys that name files of TLS, and those of the access log.

use super::super::support::errors;

/// What is wrong with a configuration of one host with these keys, and these sections.
fn found(host: &str, sections: &str) -> String {
    errors(&format!(
        "[[host]]\nnames = [\"*\"]\n{host}[[host.route]]\nupstream = \"127.0.0.1:1\"\n{sections}"
    ))
}

#[test]
fn client_certificates_need_authorities_and_tls() {
    let pair = "certificate = \"c.pem\"\nkey = \"k.pem\"\n";
    for (keys, text) in [
        (
            "client_certificate = \"required\"\n",
            "edge.toml:5:22: `client_certificate`: means nothing",
        ),
        (
            "client_crl = \"r.pem\"\n",
            "add `client_ca = \"clients.pem\"`",
        ),
        (
            "client_ca = \"a.pem\"\nclient_certificate = \"reqired\"\n",
            "did you mean \"required\"?",
        ),
        (
            "client_ca = 3\n",
            "must be the path of a PEM file, not the number 3",
        ),
        ("ocsp = \"\"\n", "`ocsp`: the path is empty"),
    ] {
        let shown = found(&format!("{pair}{keys}"), "");
        assert!(shown.contains(text), "no {text:?} in {shown}");
    }
    let plain = found("client_ca = \"a.pem\"\n", "");
    assert!(
        plain.contains("over TLS only; add `certificate` and `key`"),
        "{plain}"
    );
    let version = found("", "[tls]\nmin_version = \"1.1\"\n");
    assert!(
        version.contains("\"1.1\" is not one of \"1.2\", \"1.3\""),
        "{version}"
    );
}

#[test]
fn log_lines_are_json_or_combined() {
    for (keys, text) in [
        ("format = \"combind\"", "did you mean \"combined\"?"),
        ("fields = [\"stauts\"]", "did you mean \"status\"?"),
        ("fields = []", "`fields`: is empty"),
        ("fields = \"time\"", "write [\"time\"]"),
        (
            "format = \"combined\"\nfields = [\"time\"]",
            "the combined format has fixed fields",
        ),
        ("sample = 0", "write 1 to 1000000"),
    ] {
        let shown = found("", &format!("[log]\n{keys}\n"));
        assert!(shown.contains(text), "no {text:?} in {shown}");
    }
}

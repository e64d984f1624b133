//! `proxy_ssl_*`: TLS to servers, as `[upstream.NAME.tls]`.

use super::document::Section;
use super::notes::Notes;
use super::scope::Scope;

/// Directives that are looked at here, wherever they stand.
pub(super) const NAMES: &[&str] = &[
    "proxy_ssl_verify",
    "proxy_ssl_trusted_certificate",
    "proxy_ssl_name",
    "proxy_ssl_server_name",
    "proxy_ssl_certificate",
    "proxy_ssl_certificate_key",
    "proxy_ssl_crl",
];

/// What `[upstream.NAME.tls]` says for the location of this scope. `pool` is the name of the upstream
/// block that nginx asks for where nobody says another.
pub(super) fn keys(scope: &Scope<'_>, pool: Option<&str>, notes: &mut Notes) -> Section {
    let mut section = Section::default();
    let verifies = scope.is_on("proxy_ssl_verify");
    let given = scope.find("proxy_ssl_name");
    match given.map(|given| given.arg()) {
        Some(name) if name.contains('$') => {
            if let Some(given) = given {
                notes.leave(&mut section, given, "a server's name holds no variables");
            }
        }
        Some(name) => section.text("name", name),
        None => {
            if let Some(pool) = pool.filter(|_| verifies) {
                section.text("name", pool);
            }
        }
    }
    let authorities = scope.find("proxy_ssl_trusted_certificate");
    match (verifies, authorities) {
        (true, Some(authorities)) => section.text("ca", authorities.arg()),
        (true, None) => {}
        (false, _) => {
            section.comment("nginx has believed whoever answered: name `ca` instead of this");
            section.raw("insecure", "true");
        }
    }
    let own = [
        ("proxy_ssl_certificate", "certificate"),
        ("proxy_ssl_certificate_key", "key"),
    ];
    for (directive, key) in own {
        if let Some(file) = scope.find(directive).filter(|file| !file.arg().is_empty()) {
            match file.arg().contains('$') {
                true => notes.leave(&mut section, file, "a file is not picked by variables"),
                false => section.text(key, file.arg()),
            }
        }
    }
    if let Some(list) = scope.find("proxy_ssl_crl") {
        let reason = "certificates of servers are not looked for in revocation lists";
        notes.leave(&mut section, list, reason);
    }
    section
}

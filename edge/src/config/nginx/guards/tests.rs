//! What keeps clients out, and what only looks so.

use std::path::Path;

use super::*;
use crate::config::nginx::tree::read;

/// A server with this in it.
fn server(text: &str) -> Vec<Directive> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("our own");
    read(Path::new(file.path())).expect("nginx reads it").0
}

#[test]
fn a_condition_on_certificates_is_told_where_it_is_the_servers() {
    let rule = "if ($ssl_client_verify != \"SUCCESS\") { return 403; }";
    let asked = |text: &str, inner: &str| {
        let (block, inner) = (server(text), server(inner));
        let scope = Scope::new(&[]).inner(&block).inner(&inner);
        (asks_for_certificates(&scope), lost(&scope).is_empty())
    };
    let optional = "ssl_verify_client optional; ssl_client_certificate ca.pem;";
    assert_eq!(asked(&format!("{optional} {rule}"), ""), (true, true));
    assert_eq!(
        asked(&optional.replace("optional", "on"), rule),
        (true, true)
    );
    // Of a location only, or of certificates that nobody judges.
    assert_eq!(asked(optional, rule), (false, false));
    let unjudged = format!("ssl_verify_client optional_no_ca; {rule}");
    assert_eq!(asked(&unjudged, ""), (false, false));
}

#[test]
fn what_sends_to_https() {
    for (text, sends) in [
        (
            "if ($scheme != \"https\") { return 301 https://$host$request_uri; }",
            true,
        ),
        (
            "if ($scheme = http ) { rewrite ^ https://$server_name$request_uri permanent; }",
            true,
        ),
        (
            "if ($https = \"\") { return 301 https://$http_host$request_uri; }",
            true,
        ),
        (
            "if ($scheme != https) { return 301 https://www.example$request_uri; }",
            false,
        ),
        ("if ($scheme != https) { return 403; }", false),
        (
            "if ($host = a.example) { return 301 https://$host$request_uri; }",
            false,
        ),
    ] {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("our own");
        let (tree, _) = read(file.path()).expect("nginx reads it");
        assert_eq!(sends_to_https(&tree[0]), sends, "{text}");
    }
}

#[test]
fn conditions_that_keep_clients_out() {
    for (text, keeps) in [
        ("if ($http_x_key != secret) { return 403; }", true),
        ("if ($invalid_referer) { return 403; }", true),
        ("if ($secure_link = \"\") { return 403; }", true),
        ("if ($allowed_country = no) { return 444; }", true),
        ("if ($cookie_session = \"\") { return 302 /login; }", true),
        (
            "if ($cookie_session = \"\") { rewrite ^ /login last; }",
            true,
        ),
        ("if ($request_uri ~ /private) { return 403; }", true),
        (
            "if ($http_user_agent ~* (curl|wget)) { return 403; }",
            false,
        ),
        (
            "if ($host = a.example) { return 301 https://$host$request_uri; }",
            false,
        ),
        ("if ($host !~ ^(a|b)$) { return 444; }", false),
        ("if ($new_uri) { return 301 $new_uri; }", false),
        (
            "if (!-f $request_filename) { rewrite ^ /index.html last; }",
            false,
        ),
        ("if ($request_method = OPTIONS) { return 204; }", false),
        (
            "if ($request_method !~ ^(GET|HEAD)$ ) { return 405; }",
            false,
        ),
        ("if ($request_method = DELETE) { return 405; }", true),
        ("auth_jwt closed;", true),
        ("auth_jwt off;", false),
        ("auth_ldap Forbidden;", true),
        ("access_by_lua_file /x.lua;", true),
        ("include /gone/authelia-authrequest.conf;", true),
        ("include /gone/allowed-ips.conf;", true),
        ("include /gone/auth.d/options-ssl-nginx.conf;", false),
    ] {
        let block = server(text);
        let scope = Scope::new(&[]).inner(&block);
        assert_eq!(!lost(&scope).is_empty(), keeps, "{text}");
    }
    let block = server("if ($request_method !~ ^(GET|HEAD)$ ) { return 405; }");
    let methods = methods(&Scope::new(&[]).inner(&block)).expect("it names some");
    assert_eq!(
        (methods.names.join(" ").as_str(), methods.others),
        ("GET HEAD", Some(405))
    );
}

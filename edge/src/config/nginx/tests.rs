//! Whole files: what comes out, and that it is a configuration.

use std::path::{Path, PathBuf};

use super::import;
use crate::config::{Action, Attempt, Config, FilesAction, Ocsp};

pub(super) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/nginx")
        .join(name)
}

/// Converts a sample and lets the reader of configurations judge the result.
pub(super) fn converted(name: &str) -> (String, usize, Config) {
    let imported = import(&[sample(name)]).expect("nginx reads it");
    let config = Config::parse(&imported.toml, Path::new("/etc/edge/edge.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}\n{}", imported.toml));
    let dir = sample("");
    let text = imported.toml.replace(&*dir.to_string_lossy(), "");
    (text, imported.left_out, config)
}

#[test]
fn a_site_of_a_node_server() {
    let (text, _, config) = converted("node.conf");
    assert_eq!(config.hosts.len(), 1);
    insta::assert_snapshot!(text);
}

#[test]
fn a_whole_file_of_a_python_server() {
    let (text, _, config) = converted("python.conf");
    assert_eq!(config.hosts[0].routes.len(), 2);
    insta::assert_snapshot!(text);
}

#[test]
fn many_hosts_and_what_cannot_be_carried_over() {
    let (text, left_out, config) = converted("many.conf");
    assert_eq!(left_out, comments(&text));
    assert_eq!(config.workers, 4);
    insta::assert_snapshot!(text);
}

/// What other files include makes sense with those alone.
#[test]
fn a_part_of_a_server() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let text = "location /mcp {\n proxy_pass http://127.0.0.1:8000;\n}\n";
    std::fs::write(file.path(), text).expect("it can be written");
    let imported = import(&[file.path().to_owned()]).expect("it is nginx's");
    let said = "location /mcp (it belongs to a server: convert the file with the `server`";
    assert!(imported.toml.contains(said), "{}", imported.toml);
    assert_eq!(imported.left_out, 1);
}

/// Every line that is left out has its comment.
pub(super) fn comments(text: &str) -> usize {
    text.matches("# not carried over").count() + text.matches("# no route for").count()
}

#[test]
fn grafana_with_its_sockets() {
    let (text, left_out, config) = converted("grafana.conf");
    assert_eq!(
        (left_out, config.hosts[0].routes.len()),
        (comments(&text), 2),
        "{text}"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_git_server_behind_tls_inside() {
    let (text, left_out, config) = converted("gitea.conf");
    assert_eq!(left_out, comments(&text), "{text}");
    assert_eq!(
        config.hosts[0].certificate.as_ref().map(|c| &c.ocsp),
        Some(&Ocsp::Fetch)
    );
    let upstream = |name: &str| {
        let mut upstreams = config.upstreams.iter();
        let upstream = upstreams.find(|upstream| upstream.name == name);
        upstream.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let gitea = upstream("localhost_3000_tls").tls.as_ref().expect("TLS");
    assert_eq!(gitea.name.as_deref(), Some("gitea.internal"));
    assert_eq!(
        gitea.ca.as_deref(),
        Some(Path::new("/etc/ssl/internal-ca.pem"))
    );
    assert!(!gitea.insecure);
    let runners = upstream("runners_tls");
    assert!(runners.servers.iter().all(|server| server.tls));
    let runners = runners.tls.as_ref().expect("TLS");
    assert!(runners.insecure && runners.identity.is_some());
    assert!(
        upstream("runners").tls.is_none(),
        "it is asked in both ways"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_page_that_makes_up_its_paths() {
    let (text, left_out, config) = converted("spa.conf");
    assert_eq!(left_out, comments(&text), "{text}");
    let files: Vec<&FilesAction> = config.hosts[0]
        .routes
        .iter()
        .filter_map(|route| match &route.action {
            Action::Files(files) => Some(&**files),
            _ => None,
        })
        .collect();
    let manual = files
        .iter()
        .find(|files| files.root == Path::new("/srv/manual/"));
    let manual = manual.unwrap_or_else(|| panic!("{text}"));
    let with = |suffix: &str| Attempt::With(suffix.to_owned());
    assert_eq!(
        manual.tries,
        [Attempt::Path, with(".html"), with("/index.html")]
    );
    let root = files.iter().find(|files| files.fallback.is_some());
    let root = root.unwrap_or_else(|| panic!("{text}"));
    assert_eq!(
        root.types.get("glb").map(|kind| &**kind),
        Some("model/gltf-binary")
    );
    assert_eq!(root.types.get("html"), None, "it is known");
    assert_eq!(root.default_type.as_deref(), Some("text/plain"));
    insta::assert_snapshot!(text);
}

#[test]
fn many_sites_in_files_of_their_own() {
    let (text, left_out, config) = converted("sites/nginx.conf");
    // An include that is not there is said too.
    assert_eq!(left_out, comments(&text), "{text}");
    assert!(config.listen.close_unknown, "{text}");
    let names: Vec<String> = config
        .hosts
        .iter()
        .map(|host| host.names[0].to_string())
        .collect();
    assert_eq!(names, ["chat.example.org", "wiki.example.org"], "{text}");
    assert!(
        config.listen.redirect,
        "what certbot has written is so by default"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_proxy_in_front_that_speaks_the_proxy_protocol() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let server = "server { listen 80 proxy_protocol; listen 127.0.0.1:81; server_name a.example;\n\
                  real_ip_header proxy_protocol; TRUSTED location / { return 204; } }";
    let converted = |trusted: &str| {
        std::fs::write(file.path(), server.replace("TRUSTED", trusted)).expect("written");
        let imported = import(&[file.path().to_owned()]).expect("nginx reads it");
        Config::parse(&imported.toml, Path::new("edge.toml"))
            .unwrap_or_else(|errors| panic!("{errors}\n{}", imported.toml))
    };
    let config = converted("set_real_ip_from 10.0.0.0/8;");
    let proxied = &config.listen.proxy_protocol;
    assert_eq!(proxied[..], ["0.0.0.0:80".parse().expect("an address")]);
    assert_eq!(config.forwarding.trusted.len(), 1);
    assert!(converted("").listen.proxy_protocol.is_empty());
}

#[test]
fn what_clients_prove() {
    let (text, left_out, config) = converted("auth.conf");
    assert_eq!(left_out, 1, "{text}");
    assert!(
        text.contains("proxy_set_header X-Mail $mail ($mail has no counterpart)"),
        "{text}"
    );
    let routes = &config.hosts[0].routes;
    let (internal, others): (Vec<_>, Vec<_>) = routes
        .iter()
        .partition(|route| matches!(route.action, Action::Respond(_)));
    // The service, and names that only begin with /mcp.
    assert_eq!(internal.len(), 2, "{text}");
    let [root, open, mcp] = others[..] else {
        panic!("{text}")
    };
    let basic = root.auth.basic.as_ref().expect("passwords");
    assert_eq!(basic.realm, "the house");
    assert_eq!(basic.file, Path::new("/etc/nginx/users.htpasswd"));
    assert!(open.auth.is_none() && mcp.auth.basic.is_none());
    let request = mcp.auth.request.as_ref().expect("a service");
    assert_eq!(config.upstreams[request.upstream.0].name, "127.0.0.1:9000");
    assert_eq!(request.path, "/auth/check?app=mcp");
    assert_eq!(request.upstream_fields, ["x-user".into()]);
}

#[test]
fn a_file_that_nginx_refuses_is_an_error_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("nginx.conf");
    std::fs::write(&file, "http {\n  server {\n    listen 80\n  }\n}\n")
        .expect("it can be written");
    let error = import(std::slice::from_ref(&file)).expect_err("a semicolon is missing");
    assert_eq!(
        error.to_string(),
        format!("{}:4: `;` is missing before `}}`", file.display())
    );
    let gone = dir.path().join("gone.conf");
    let error = import(std::slice::from_ref(&gone)).expect_err("there is no such file");
    assert!(
        error
            .to_string()
            .starts_with(&format!("{}: ", gone.display()))
    );
}

mod any_text {
    use super::super::{document::Section, import};
    use proptest::prelude::*;

    proptest! {
        /// Whatever the file, there is a result or an error, and a result is TOML.
        #[test]
        fn is_converted_or_refused(text in "[a-z_ ]{0,12}([{};\"'$#\\\\/ .=~0-9a-z\n]{0,80})") {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), &text).expect("it can be written");
            if let Ok(imported) = import(&[file.path().to_owned()]) {
                prop_assert!(imported.toml.parse::<toml::Table>().is_ok(), "{}", imported.toml);
            }
        }

        /// A server block of known directives with any arguments becomes TOML.
        #[test]
        fn of_known_directives_is_toml(
            name in prop::sample::select(vec![
                "listen", "server_name", "return", "add_header", "proxy_set_header",
                "keepalive_timeout", "access_log", "ssl_certificate", "limit_req",
            ]),
            args in prop::collection::vec("[^\\\\\"]{0,12}", 0..4),
        ) {
            let args: Vec<String> = args.iter().map(|arg| format!("\"{arg}\"")).collect();
            let text = format!("server {{ {name} {}; }}", args.join(" "));
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), &text).expect("it can be written");
            if let Ok(imported) = import(&[file.path().to_owned()]) {
                prop_assert!(imported.toml.parse::<toml::Table>().is_ok(), "{}", imported.toml);
            }
        }
    }

    #[test]
    fn a_comment_stays_on_its_line() {
        let mut section = Section::default();
        section.comment("a\nb\rc\u{7}");
        let mut out = String::new();
        section.write(&mut out);
        assert_eq!(out, "# a\n# bc\n");
    }
}

//! Where a file is looked for, and what it is said to be.

use super::peer::Nginx;
use super::{ask, facts, folder, write};
use crate::support::{Client, Edge, Setup, light};

#[test]
fn one_page_for_every_path_below_a_prefix() {
    let _machine = light();
    let setup = Setup::new("127.0.0.1:1");
    folder(&setup.dir.path().join("www"));
    let edge = setup
        .more_routes(
            "[[host.route]]\npath = \"/app\"\nstrip_prefix = true\n\
             [host.route.files]\nroot = \"www\"\nfallback = \"/index.html\"\n\
             [[host.route]]\npath = \"/short\"\nfiles = \"www/sub\"\n",
        )
        .start();
    let mut client = edge.plain();
    for path in [
        "/app/",
        "/app/deep/link",
        "/app/bare/",
        "/app/.env",
        "/app/out.txt",
    ] {
        let page = ask(&mut client, &format!("GET {path}"), &[]);
        assert_eq!(
            (page.status, page.text().as_str()),
            (200, "<p>home</p>"),
            "{path}"
        );
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
    }
    assert_eq!(
        ask(&mut client, "GET /app/sub/app.js", &[]).text(),
        "let x;"
    );
    let moved = ask(&mut client, "GET /app/sub?x", &[]);
    assert_eq!(
        (moved.status, moved.header("location")),
        (301, Some("/app/sub/?x"))
    );
    // Links in the page would otherwise lead out of the route.
    let moved = ask(&mut client, "GET /app?x", &[]);
    assert_eq!(
        (moved.status, moved.header("location")),
        (301, Some("/app/?x"))
    );
    let moved = ask(&mut client, "GET //app//sub", &[]);
    assert_eq!(moved.status, 301);
    let location = moved.header("location").expect("it moved");
    assert!(location.starts_with("/app"), "{location}");
    assert_eq!(ask(&mut client, "POST /app/deep", &[]).status, 405);
    assert_eq!(
        ask(&mut client, "GET /short/app.js", &[]).status,
        404,
        "as nginx's root"
    );
}

/// Pages without the ends of their names, a page of an application, and odd files.
fn site(keys: &str) -> Edge {
    let setup = Setup::new("127.0.0.1:1");
    let root = setup.dir.path().join("www");
    folder(&root);
    write(&root.join("about.html"), b"<p>about</p>");
    write(&root.join("sub.html"), b"<p>beside</p>");
    write(&root.join("docs/index.html"), b"<p>docs</p>");
    write(&root.join("docs/setup.html"), b"<p>setup</p>");
    write(&root.join("model.glb"), b"glTF");
    write(&root.join("notes.TXT"), b"notes");
    write(&root.join("data.geojson"), b"{}");
    setup
        .more_routes(&format!(
            "[[host.route]]\nregex = \"^/\"\n[host.route.files]\nroot = \"www\"\n{keys}\n"
        ))
        .start()
}

#[test]
fn clean_urls_as_nginx_has_them() {
    let _machine = light();
    for (keys, theirs) in [
        (
            r#"try = ["{path}", "{path}.html", "{path}/", "/index.html"]"#,
            "try_files $uri $uri.html $uri/ /index.html;",
        ),
        (
            r#"try = ["{path}.html", "{path}", "{path}/"]"#,
            "try_files $uri.html $uri $uri/ =404;",
        ),
        (
            r#"try = ["{path}", "{path}/index.html"]"#,
            "try_files $uri $uri/index.html =404;",
        ),
        (
            "try = [\"{path}\"]\nfallback = \"/about.html\"",
            "try_files $uri /about.html;",
        ),
    ] {
        let edge = site(keys);
        let nginx = Nginx::with(edge.dir(), theirs);
        for path in [
            "/",
            "/about",
            "/about.html",
            "/about/",
            "/sub",
            "/sub/",
            "/sub/app.js",
            "/sub/app",
            "/docs",
            "/docs/",
            "/docs/setup",
            "/docs/setup?x=1",
            "/docs/setup/",
            "/none",
            "/none/deep",
            "/none.html",
            "/a.txt",
            "/bare",
            "/docs/../about",
        ] {
            let line = format!("GET {path}");
            let own = ask(&mut edge.plain(), &line, &[]);
            let theirs = ask(&mut Client::plain(nginx.address), &line, &[]);
            let told = |response: &crate::support::Response| match response.status {
                // Pages of errors are everybody's own.
                200 => (200, response.text()),
                status => (status, String::new()),
            };
            assert_eq!(told(&own), told(&theirs), "{keys}: {path}");
        }
    }
}

#[test]
fn what_is_tried_never_leads_out_or_shows_what_is_hidden() {
    let _machine = light();
    let edge = site(r#"try = ["{path}", "{path}.html", "{path}.txt", "{path}/config", "{path}/"]"#);
    write(&edge.file("www/.env.html"), b"hidden");
    for path in [
        "/../outside",
        "/%2e%2e/outside",
        "/out",
        "/sub/.git",
        "/.env",
        "/etc/hosts",
        "/loop",
        "/a%00",
        "/secret%2f..%2fa",
        "/fifo",
    ] {
        let answer = ask(&mut edge.plain(), &format!("GET {path}"), &[]);
        assert!(
            matches!(answer.status, 400 | 404),
            "{path}: {}",
            facts(&answer)
        );
    }
    assert_eq!(ask(&mut edge.plain(), "GET /secret", &[]).status, 403);
    assert_eq!(ask(&mut edge.plain(), "GET /a", &[]).status, 200);
}

#[test]
fn media_types_of_ones_own() {
    let _machine = light();
    let edge = site(
        "types = [\"glb: model/gltf-binary\", \"geojson .TXT: application/geo+json\"]\n\
         default_type = \"text/x-unknown\"",
    );
    write(&edge.file("www/LICENSE"), b"free");
    for (path, kind) in [
        ("/model.glb", "model/gltf-binary"),
        ("/data.geojson", "application/geo+json"),
        ("/notes.TXT", "application/geo+json"),
        ("/about.html", "text/html; charset=utf-8"),
        ("/LICENSE", "text/x-unknown"),
    ] {
        let answer = ask(&mut edge.plain(), &format!("GET {path}"), &[]);
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

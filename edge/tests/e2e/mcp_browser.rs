//! A web page that is an MCP client, in a real browser, and a server of another origin behind the edge.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use crate::support::{McpServer, Setup, free_port, light, node_packages, peer, run_driver};

const LIMIT: Duration = Duration::from_secs(60);

/// What docs/mcp.md shows for a server that knows nothing of pages.
fn told_by_edge(page: &str, server: SocketAddr) -> String {
    format!(
        "[[host.route]]\npath = \"/unaware\"\nmethods = [\"OPTIONS\"]\nrespond = 204\n\
         response_headers = [\"Access-Control-Allow-Origin: {page}\", \"Vary: Origin\",\n\
         \"Access-Control-Allow-Methods: GET, POST, DELETE\",\n\
         \"Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID, \
         MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name\"]\n\n\
         [[host.route]]\npath = \"/unaware\"\nstrip_prefix = true\n\
         upstream = \"http://{server}\"\nmcp = {{ origins = [\"{page}\"] }}\n\
         request_headers = [\"-Origin\"]\n\
         response_headers = [\"Access-Control-Allow-Origin: {page}\", \"Vary: Origin\",\n\
         \"Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate, Retry-After\"]\n\n"
    )
}

/// The official TypeScript client, in both eras. What it sends makes the browser ask for leave first,
/// and what comes back it sees only as far as the answers say.
#[test]
fn a_page_of_another_origin() {
    let _machine = light();
    let https = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let page = format!("https://page.localhost:{}", https.port());
    let server = McpServer::start_for_pages(&page);
    let unaware = McpServer::start(2, 30);
    let packages = node_packages().join("node_modules");
    let setup = Setup::new(server.address)
        .https_at(https)
        .route(&format!("mcp.origins = [\"{page}\"]"))
        .more_routes(&format!(
            "[[host.route]]\npath = \"/limited\"\nupstream = \"origin\"\n\
             mcp.origins = [\"{page}\"]\nmcp.limit.calls = \"1/m\"\nmcp.limit.calls_burst = 1\n\n\
             [[host.route]]\npath = \"/elsewhere\"\nupstream = \"origin\"\n\
             mcp.origins = [\"https://other.example\"]\n\n"
        ))
        .more_routes(&told_by_edge(&page, unaware.address))
        .hosts(&format!(
            "[[host]]\nnames = [\"page.localhost\"]\n\
             certificate = \"page.pem\"\nkey = \"page.key\"\n\n\
             [[host.route]]\npath = \"/\"\nfiles = \"page\"\n\n\
             [[host.route]]\npath = \"/packages\"\nfiles = \"{}\"\nstrip_prefix = true\n\n",
            packages.display()
        ));
    let dir = setup.dir.path();
    setup.authority.leaf(dir, "page", &["page.localhost"]);
    std::fs::create_dir(dir.join("page")).expect("our own directory is writable");
    let html = include_str!("../node/mcp_page.html");
    std::fs::write(dir.join("page/index.html"), html).expect("our own directory is writable");
    let edge = setup.start();
    let certificates = ["localhost.pem", "page.pem"].map(|name| edge.file(name));
    let certificates = certificates.map(|path| path.display().to_string());
    let arguments = [&page, &edge.url(), &certificates[0], &certificates[1]];
    let found = run_driver(
        "mcp_browser.py",
        peer("mcp_browser.py", &arguments.map(String::as_str)),
        LIMIT,
    );
    for (name, era) in [
        ("legacy", "legacy"),
        ("modern", "modern"),
        ("edgeLegacy", "legacy"),
        ("edgeModern", "modern"),
    ] {
        let seen = &found[name];
        assert_eq!(
            (&seen["tools"], &seen["sum"], &seen["reports"]),
            (
                &json!(["add", "big", "progress", "silent"]),
                &json!("42"),
                &json!(10)
            ),
            "{name}: {found}"
        );
        assert_eq!(seen["session"].is_string(), era == "legacy", "{found}");
        edge.log_line(|line| line["mcp_era"] == era && line["mcp_tool"] == "progress");
    }
    let refused = json!({ "status": 429, "id": 7, "retryAfter": "60" });
    assert_eq!(found["refused"], refused, "{found}");
    assert_eq!(found["refusedWithCookies"], refused, "{found}");
    let stranger = found["stranger"].as_str().unwrap_or_default();
    assert!(stranger.starts_with("TypeError"), "{found}");
    let line = edge.log_line(|line| line["path"] == "/elsewhere");
    assert_eq!(
        (&line["status"], &line["error"]),
        (&json!(403), &json!("origin")),
        "{line}"
    );
}

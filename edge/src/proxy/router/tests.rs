use super::*;
use crate::config::Loaded;
use crate::message::h1::parse_request;

/// The router of `[[host]]` tables.
fn router(tables: &str) -> Router {
    let loaded = Loaded::parse(tables, "edge.toml".as_ref()).unwrap_or_else(|e| panic!("{e}"));
    Router::new(&loaded.config.hosts)
}

/// Routes that answer their own position.
fn routes(lines: &[&str]) -> Router {
    let tables: String = lines
        .iter()
        .map(|lines| format!("[[host.route]]\n{lines}\nrespond = 204\n"))
        .collect();
    router(&format!("[[host]]\nnames = [\"*\"]\n{tables}"))
}

fn head(request: &str) -> RequestHead {
    let text = match request.contains('\r') {
        true => format!("{request}\r\n\r\n"),
        false => format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n"),
    };
    let parsed = parse_request(text.as_bytes(), 100).unwrap_or_else(|e| panic!("{request}: {e}"));
    parsed.0
}

fn found(router: &Router, request: &str) -> Option<usize> {
    match router.find(&head(request)) {
        Match::Route { number, .. } => Some(number),
        _ => None,
    }
}

#[test]
fn the_longest_path_of_whole_segments_wins() {
    let r = routes(&["path = \"/\"", "path = \"/mcp\"", "path = \"/mcp/admin\""]);
    for (path, route) in [
        ("/", 0),
        ("/mcp", 1),
        ("/mcp/", 1),
        ("/mcpx", 0),
        ("/mcp/admin/x", 2),
        ("//mcp//admin", 2),
        ("/mcp/%61dmin", 2),
        ("/mcp;v=1/admin", 2),
        ("/mcp%2Fadmin", 2),
        ("/files/../mcp", 1),
    ] {
        assert_eq!(found(&r, &format!("GET {path}")), Some(route), "{path}");
    }
}

#[test]
fn exact_before_expression_before_prefix() {
    let r = routes(&[
        "path = \"/a/b\"",
        "regex = \"^/a/.\"",
        "regex = \"b$\"",
        "exact = \"/a/b\"",
        "exact = \"/a/\"",
    ]);
    for (path, route) in [
        ("/a/b", Some(3)),
        ("/a/b/", Some(1)),
        ("/a/", Some(4)),
        ("/a", None),
        ("/b", Some(2)),
        ("/a/b/c", Some(1)),
        ("//a//b", Some(3)),
    ] {
        assert_eq!(found(&r, &format!("GET {path}")), route, "{path}");
    }
}

#[test]
fn methods_and_fields_narrow_a_route() {
    let r = routes(&[
        "path = \"/mcp\"",
        "path = \"/mcp\"\nmethods = [\"POST\"]",
        "path = \"/mcp\"\nmethods = [\"POST\"]\nheaders = [\"X-Version: 2\", \"!X-Old\"]",
        "path = \"/only\"\nmethods = [\"GET\", \"DELETE\"]",
        "path = \"/only/get\"\nmethods = [\"PUT\"]",
    ]);
    assert_eq!(found(&r, "GET /mcp"), Some(0));
    assert_eq!(found(&r, "POST /mcp"), Some(1));
    let with = |fields: &str| format!("POST /mcp HTTP/1.1\r\nHost: h\r\n{fields}");
    assert_eq!(found(&r, &with("x-version: 2")), Some(2));
    assert_eq!(found(&r, &with("x-version: 1")), Some(1));
    assert_eq!(found(&r, &with("x-version: 1\r\nX-VERSION: 2")), Some(2));
    assert_eq!(found(&r, &with("x-version: 2\r\nX-Old: y")), Some(1));
    assert_eq!(found(&r, "HEAD /only"), Some(3));
    assert_eq!(
        found(&r, "DELETE /only/get"),
        Some(3),
        "the shorter path takes it"
    );
    let request = head("POST /only/get");
    let Match::OtherMethod(site) = r.find(&request) else {
        panic!("both routes are for other methods")
    };
    assert_eq!(site.allowed(&request), "DELETE, GET, HEAD, PUT");
}

#[test]
fn names_before_wildcards_before_any() {
    let host =
        |name: &str| format!("[[host]]\nnames = [\"{name}\"]\n[[host.route]]\nrespond = 204\n");
    let r = router(&(host("*.example") + &host("a.example")));
    let to = |name: &str| found(&r, &format!("GET / HTTP/1.1\r\nHost: {name}"));
    assert_eq!(to("A.example:443"), Some(1));
    assert_eq!(to("b.example"), Some(0));
    assert_eq!(to("a.b.example"), None);
    assert_eq!(to("example"), None);
    assert!(matches!(r.find(&head("GET /")), Match::UnknownHost));
}

#[test]
fn a_host_may_redirect_without_routes() {
    let r = router("[[host]]\nnames = [\"*\"]\nredirect = \"https://new.example{uri}\"\n");
    assert_eq!(found(&r, "GET /any/where"), Some(0));
}

/// A preflight is no request of its own: the server that gets the request knows who may ask.
#[test]
fn preflights_go_where_the_request_would_go() {
    let r = routes(&[
        "path = \"/mcp\"\nmethods = [\"POST\"]\nheaders = [\"Mcp-Param-Region: eu\"]",
        "path = \"/mcp\"\nmethods = [\"POST\"]\nheaders = [\"!X-Old\"]",
        "path = \"/mcp\"\nmethods = [\"DELETE\"]",
        "path = \"/api\"\nmethods = [\"POST\"]",
        "path = \"/api\"\nmethods = [\"OPTIONS\"]",
        "path = \"/closed\"\nmethods = [\"POST\"]",
        "path = \"/mcp\"",
    ]);
    let asks = |path: &str, method: &str, names: &str| {
        let mut text =
            format!("OPTIONS {path} HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n");
        text += &format!(
            "Access-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: {names}"
        );
        found(&r, &text)
    };
    assert_eq!(
        asks("/mcp", "POST", "content-type,mcp-param-region"),
        Some(0)
    );
    assert_eq!(asks("/mcp", "POST", "content-type"), Some(1));
    assert_eq!(asks("/mcp", "POST", "X-Old"), Some(6));
    assert_eq!(asks("/mcp", "DELETE", "x-old"), Some(2));
    assert_eq!(asks("/mcp", "GET", "x"), Some(6));
    // One that says by itself what becomes of them.
    assert_eq!(asks("/api", "POST", "x"), Some(4));
    assert_eq!(asks("/closed", "POST", "x"), Some(5));
    assert_eq!(asks("/closed", "PUT", "x"), None);
    // Any other OPTIONS is what it is.
    assert_eq!(found(&r, "OPTIONS /mcp"), Some(6));
    assert_eq!(found(&r, "OPTIONS /closed"), None);
}

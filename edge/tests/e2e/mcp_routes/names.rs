//! Names that are long, and the two forms that headers have for them.

use super::{LIMIT, MODERN, RULES, error_of};
use crate::support::{Setup, Upstream, light, rpc};

/// Nothing is ruled by the URI of a resource, which may be longer than the name of any tool.
#[test]
fn resources_with_long_names_can_be_read_where_there_are_rules() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address).route(RULES).start();
    let read = |uri: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{{"uri":"{uri}"}}}}"#
        )
    };
    for length in [20, 255, 256, 257, 4000] {
        // The same letters, for which base64 has only one.
        let uri = "a".repeat(length / 3 * 3);
        let coded = format!("=?base64?{}?=", "YWFh".repeat(length / 3));
        let body = read(&uri);
        assert_eq!(
            edge.plain().exchange(rpc("/mcp", &[], &body)).status,
            200,
            "{length}"
        );
        for name in [&uri, &coded] {
            let name = format!("Mcp-Name: {name}");
            let headers = &[MODERN, "Mcp-Method: resources/read", &name][..];
            let mut client = edge.plain();
            client.send(rpc("/mcp", headers, &body));
            let response = client.response_within(false, LIMIT).expect("an answer");
            assert_eq!(response.status, 200, "{length} {}", response.text());
            for other in ["", "b", &format!("b{uri}"), &"a".repeat(30)] {
                let (status, error, _) = error_of(&edge, &rpc("/mcp", headers, &read(other)));
                assert_eq!(
                    (status, &error["error"]["code"], &error["id"]),
                    (400, &(-32020).into(), &7.into()),
                    "{length} {other}: {error}"
                );
            }
        }
    }
    // By the names of tools there are rules: one too long to be told from others is none.
    let long = "a".repeat(300);
    let call =
        format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{long}"}}}}"#);
    let name = format!("Mcp-Name: {long}");
    for headers in [&[][..], &[MODERN, "Mcp-Method: tools/call", &name]] {
        let (status, error, _) = error_of(&edge, &rpc("/mcp", headers, &call));
        assert_eq!((status, &error["error"]["code"]), (400, &(-32600).into()));
    }
}

//! The target an upstream is asked for, where it is not the one the client asked for.

use super::facts::Facts;
use crate::config::Rewrite;
use crate::message::{Target, TargetError};

/// The rewritten target; `None` leaves it as it is.
pub(super) fn rewritten(
    rewrite: &Rewrite,
    facts: &Facts<'_>,
) -> Result<Option<Target>, TargetError> {
    let target = &facts.head.target;
    if target.is_asterisk() {
        return Ok(None);
    }
    let mut text = match rewrite {
        Rewrite::Keep => return Ok(None),
        Rewrite::StripPrefix => facts.rest().to_owned(),
        Rewrite::To(template) => facts.url(template),
    };
    if !text.starts_with('/') {
        text.insert(0, '/');
    }
    if let (false, Some(query)) = (text.contains('?'), target.query()) {
        text.push('?');
        text.push_str(query);
    }
    // Put together anew, so checked anew; what would climb out of the text around it is refused.
    let path = text.split('?').next().unwrap_or_default();
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(TargetError::Form);
    }
    Target::from_path(text.as_bytes()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Action, Config};
    use crate::message::h1::parse_request;
    use crate::proxy::exchange::Peer;
    use crate::proxy::request_id::RequestId;

    fn sent(route: &str, target: &str) -> Result<String, TargetError> {
        let text = format!(
            "[[host]]\nnames = [\"*\"]\n[[host.route]]\n{route}\nupstream = \"127.0.0.1:1\"\n"
        );
        let config = Config::parse(&text, "edge.toml".as_ref()).unwrap_or_else(|e| panic!("{e}"));
        let route = &config.hosts[0].routes[0];
        let Action::Proxy(action) = &route.action else {
            panic!("it proxies")
        };
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\nX-Name: a/../b?c\r\n\r\n");
        let (head, _) = parse_request(request.as_bytes(), 100).unwrap();
        let facts = Facts {
            head: &head,
            peer: &Peer::new("192.0.2.7:5".parse().unwrap(), None),
            request_id: &RequestId::new(),
            when: Some(&route.when),
        };
        let target = rewritten(&action.rewrite, &facts)?;
        Ok(target.map_or("unchanged".to_owned(), |target| target.as_str().to_owned()))
    }

    #[test]
    fn prefixes_expressions_and_queries() {
        let strip = "path = \"/api\"\nstrip_prefix = true";
        assert_eq!(sent(strip, "/api/a?b=/api").as_deref(), Ok("/a?b=/api"));
        assert_eq!(sent(strip, "/api").as_deref(), Ok("/"));
        assert_eq!(sent(strip, "/api/").as_deref(), Ok("/"));
        assert_eq!(sent(strip, "//api/a").as_deref(), Ok("/a"));
        assert_eq!(sent(strip, "/api/a%2Fb").as_deref(), Ok("/a%2Fb"));
        assert_eq!(
            sent("path = \"/api\"", "/api/a").as_deref(),
            Ok("unchanged")
        );
        let to = |to: &str| format!("path = \"/api\"\nrewrite = \"{to}\"");
        assert_eq!(sent(&to("/v2{rest}"), "/api/a?q").as_deref(), Ok("/v2/a?q"));
        assert_eq!(
            sent(&to("/v2{rest}?x=1"), "/api/a?q").as_deref(),
            Ok("/v2/a?x=1")
        );
        assert_eq!(sent(&to("{uri}"), "/api/a?q").as_deref(), Ok("/api/a?q"));
        let regex = "regex = \"^/u/([0-9]+)/(.*)$\"\nrewrite = \"/{2}?user={1}\"";
        assert_eq!(sent(regex, "/u/42/mcp/x").as_deref(), Ok("/mcp/x?user=42"));
    }

    #[test]
    fn what_is_put_together_cannot_climb() {
        let header = "path = \"/api\"\nrewrite = \"/t/{header:X-Name}\"";
        assert!(
            sent(header, "/api/x").is_err(),
            "an encoded slash hides a dot segment"
        );
        let regex = "regex = \"^/u(.*)$\"\nrewrite = \"/t/.{1}\"";
        assert_eq!(sent(regex, "/ux/y").as_deref(), Ok("/t/.x/y"));
        assert!(
            sent(regex, "/u./x").is_err(),
            "a group completes a dot segment"
        );
    }
}

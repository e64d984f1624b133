//! Who may use a route: bearer tokens of one authorization server.

use std::time::Duration;

/// `[host.route.jwt]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// The authorization server, as tokens name it.
    pub issuer: String,
    /// Where its keys are; else its metadata says so.
    pub jwks: Option<String>,
    /// The URL that clients know this route by, where they are told.
    pub resource: Option<String>,
    /// What tokens may be meant for.
    pub audiences: Vec<String>,
    /// Scopes that every request needs.
    pub scopes: Vec<String>,
    /// How far the clock of the server may be off.
    pub leeway: Duration,
}

/// Where the metadata of a resource is, before the path of the resource (RFC 9728 §3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl Jwt {
    /// Origin and path of the resource.
    fn parts(&self) -> Option<(&str, &str)> {
        let resource = self.resource.as_deref()?;
        let scheme = resource.find("://").map_or(0, |at| at + 3);
        let path = resource[scheme..].find('/').map(|at| scheme + at);
        let (origin, path) = resource.split_at(path.unwrap_or(resource.len()));
        Some((origin, path.trim_end_matches('/')))
    }

    /// The URL of the metadata.
    pub fn metadata_url(&self) -> Option<String> {
        let (origin, path) = self.parts()?;
        Some(format!("{origin}{WELL_KNOWN}{path}"))
    }

    /// Whether a path is that of the metadata; without the path of a resource it is that of any.
    pub fn is_metadata(&self, path: &str) -> bool {
        let Some((_, own)) = self.parts() else {
            return false;
        };
        match path.strip_prefix(WELL_KNOWN) {
            Some("" | "/") => true,
            Some(rest) => rest.trim_end_matches('/') == own,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Jwt;

    fn auth(resource: &str) -> Jwt {
        Jwt {
            issuer: "https://as.example".into(),
            jwks: None,
            resource: Some(resource.into()),
            audiences: vec![resource.into()],
            scopes: Vec::new(),
            leeway: Duration::ZERO,
        }
    }

    #[test]
    fn the_metadata_is_beside_the_resource() {
        let well_known = "/.well-known/oauth-protected-resource";
        for (resource, origin, path) in [
            (
                "https://h.example/public/mcp",
                "https://h.example",
                "/public/mcp",
            ),
            ("https://h.example:8443", "https://h.example:8443", ""),
            ("https://h.example/", "https://h.example", ""),
        ] {
            let auth = auth(resource);
            let url = format!("{origin}{well_known}{path}");
            assert_eq!(auth.metadata_url(), Some(url));
            assert!(auth.is_metadata(&format!("{well_known}{path}")));
            assert!(auth.is_metadata(well_known));
            assert!(!auth.is_metadata(&format!("{well_known}/other")));
            assert!(!auth.is_metadata(&format!("{well_known}s")));
            assert!(!auth.is_metadata("/mcp"));
        }
    }
    #[test]
    fn a_resource_without_a_name_has_no_metadata() {
        let auth = Jwt {
            resource: None,
            ..auth("https://h.example")
        };
        assert_eq!(auth.metadata_url(), None);
        assert!(!auth.is_metadata("/.well-known/oauth-protected-resource"));
    }
}

//! Who may use a route: bearer tokens of one authorization server.

/// `[host.route.mcp.auth]`.
#[derive(Clone, Debug)]
pub struct McpAuth {
    /// The authorization server, as tokens name it.
    pub issuer: String,
    /// Where its keys are; else its metadata says so.
    pub jwks: Option<String>,
    /// The URL that clients know this route by.
    pub resource: String,
    /// What tokens may be meant for.
    pub audiences: Vec<String>,
    /// Scopes that every request needs.
    pub scopes: Vec<String>,
}

/// Where the metadata of a resource is, before the path of the resource (RFC 9728 §3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl McpAuth {
    /// Origin and path of the resource.
    fn parts(&self) -> (&str, &str) {
        let scheme = self.resource.find("://").map_or(0, |at| at + 3);
        let path = self.resource[scheme..].find('/').map(|at| scheme + at);
        let (origin, path) = self.resource.split_at(path.unwrap_or(self.resource.len()));
        (origin, path.trim_end_matches('/'))
    }

    /// The URL of the metadata.
    pub fn metadata_url(&self) -> String {
        let (origin, path) = self.parts();
        format!("{origin}{WELL_KNOWN}{path}")
    }

    /// Whether a path is that of the metadata; without the path of a resource it is that of any.
    pub fn is_metadata(&self, path: &str) -> bool {
        match path.strip_prefix(WELL_KNOWN) {
            Some("" | "/") => true,
            Some(rest) => rest.trim_end_matches('/') == self.parts().1,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::McpAuth;

    fn auth(resource: &str) -> McpAuth {
        McpAuth {
            issuer: "https://as.example".into(),
            jwks: None,
            resource: resource.into(),
            audiences: vec![resource.into()],
            scopes: Vec::new(),
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
            assert_eq!(auth.metadata_url(), format!("{origin}{well_known}{path}"));
            assert!(auth.is_metadata(&format!("{well_known}{path}")));
            assert!(auth.is_metadata(well_known));
            assert!(!auth.is_metadata(&format!("{well_known}/other")));
            assert!(!auth.is_metadata(&format!("{well_known}s")));
            assert!(!auth.is_metadata("/mcp"));
        }
    }
}

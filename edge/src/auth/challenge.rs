//! What a client without a good token is told: where to get one, and for what.

use serde_json::json;

use crate::config::Jwt;

/// RFC 6750 §3: a challenge has at least one parameter.
const REALM: &str = "realm=\"edge\"";

/// Why a client is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge<'a> {
    /// It has no token.
    Missing,
    /// Its token is not good.
    Invalid,
    /// Its token is good, but not for this, which needs these beside what every request needs.
    Scope(&'a [&'a str]),
}

impl Challenge<'_> {
    /// The value of `WWW-Authenticate` (RFC 6750 §3, RFC 9728 §5.1); `jwt` is what the
    /// resource wants of every token.
    pub fn header(self, jwt: &Jwt) -> String {
        let error = match self {
            // RFC 6750 §3.1: a request that says nothing of tokens is told nothing of errors.
            Challenge::Missing => None,
            Challenge::Invalid => Some("error=\"invalid_token\"".to_owned()),
            Challenge::Scope(_) => Some("error=\"insufficient_scope\"".to_owned()),
        };
        let mut wanted: Vec<&str> = jwt.scopes.iter().map(String::as_str).collect();
        if let Challenge::Scope(more) = self {
            for &scope in more {
                if !wanted.contains(&scope) {
                    wanted.push(scope);
                }
            }
        }
        let metadata = jwt.metadata_url();
        let realm = metadata.is_none().then(|| REALM.to_owned());
        let metadata = metadata.map(|url| format!("resource_metadata=\"{url}\""));
        let scope = match wanted.is_empty() {
            true => None,
            false => Some(format!("scope=\"{}\"", wanted.join(" "))),
        };
        let parameters: Vec<String> = [realm, error, metadata, scope]
            .into_iter()
            .flatten()
            .collect();
        format!("Bearer {}", parameters.join(", "))
    }
}

/// The protected resource metadata (RFC 9728 §2).
pub fn metadata(resource: &str, issuer: &str, scopes: &[String]) -> String {
    let mut document = json!({
        "resource": resource,
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
    });
    if !scopes.is_empty() {
        document["scopes_supported"] = json!(scopes);
    }
    document.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn challenges_say_what_is_missing() {
        let scopes = ["mcp".to_owned()];
        let url = "https://h/.well-known/oauth-protected-resource/mcp";
        let jwt = |resource: Option<&str>, scopes: &[String]| Jwt {
            issuer: "https://as".to_owned(),
            jwks: None,
            resource: resource.map(str::to_owned),
            audiences: Vec::new(),
            scopes: scopes.to_vec(),
            leeway: Duration::ZERO,
        };
        let header = |challenge: Challenge<'_>, scopes: &[String]| {
            challenge.header(&jwt(Some("https://h/mcp"), scopes))
        };
        assert_eq!(
            header(Challenge::Missing, &[]),
            format!("Bearer resource_metadata=\"{url}\"")
        );
        assert_eq!(
            header(Challenge::Invalid, &scopes),
            format!("Bearer error=\"invalid_token\", resource_metadata=\"{url}\", scope=\"mcp\"")
        );
        assert_eq!(
            header(Challenge::Scope(&["admin"]), &scopes),
            format!(
                "Bearer error=\"insufficient_scope\", resource_metadata=\"{url}\", scope=\"mcp admin\""
            )
        );
        let plain = |challenge: Challenge<'_>| challenge.header(&jwt(None, &scopes));
        assert_eq!(
            plain(Challenge::Missing),
            "Bearer realm=\"edge\", scope=\"mcp\""
        );
        assert_eq!(
            plain(Challenge::Invalid),
            "Bearer realm=\"edge\", error=\"invalid_token\", scope=\"mcp\""
        );
        assert!(header(Challenge::Scope(&["mcp"]), &scopes).ends_with("scope=\"mcp\""));
        assert!(header(Challenge::Scope(&["x", "y", "x"]), &[]).ends_with("scope=\"x y\""));
    }

    #[test]
    fn the_metadata_is_that_of_the_standard() {
        let text = metadata("https://h/mcp", "https://as", &["a".to_owned()]);
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["resource"], "https://h/mcp");
        assert_eq!(value["authorization_servers"], json!(["https://as"]));
        assert_eq!(value["scopes_supported"], json!(["a"]));
    }
}

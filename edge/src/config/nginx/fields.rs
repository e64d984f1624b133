//! `add_header`, `proxy_set_header` and their kin, as rules for header fields.

use super::document::Section;
use super::notes::Notes;
use super::tree::Directive;
use super::variables::template;

/// Rules of one host or route.
#[derive(Debug, Default)]
pub(super) struct Rules {
    request: Vec<String>,
    response: Vec<String>,
    /// There is a `Cache-Control` already, from `expires`, which stays beside others.
    pub(super) expires: bool,
}

impl Rules {
    /// Takes a directive about header fields; `false` for any other.
    pub(super) fn take(
        &mut self,
        directive: &Directive,
        server_name: &str,
        section: &mut Section,
        notes: &mut Notes,
    ) -> bool {
        let name = directive.arg();
        let value = directive.args.get(1).map_or("", String::as_str);
        match &*directive.name {
            "proxy_pass_header" => {}
            "proxy_hide_header" | "grpc_hide_header" => self.response.push(format!("-{name}")),
            "add_header" if is_default_answer(name, value) => {}
            // nginx sends no field without a value, and drops what these two held.
            "add_header" if value.is_empty() => {
                if ["ETag", "Last-Modified"]
                    .iter()
                    .any(|own| name.eq_ignore_ascii_case(own))
                {
                    self.response.push(format!("-{name}"));
                }
            }
            "proxy_set_header" | "grpc_set_header" if is_default_request(name, value) => {}
            "proxy_set_header" | "grpc_set_header" if value.is_empty() => {
                self.request.push(format!("-{name}"))
            }
            "add_header" | "proxy_set_header" | "grpc_set_header" => {
                match template(value, server_name) {
                    Ok(value) if directive.name == "add_header" && value.contains("{user}") => {
                        let reason = "who asks is not known yet when answers are prepared";
                        notes.leave(section, directive, reason);
                    }
                    Ok(value) => {
                        let adds = self.expires
                            && directive.name == "add_header"
                            && name.eq_ignore_ascii_case("cache-control");
                        let rules = match &*directive.name {
                            "add_header" => &mut self.response,
                            _ => &mut self.request,
                        };
                        let plus = if adds { "+" } else { "" };
                        rules.push(format!("{plus}{name}: {value}"));
                    }
                    Err(variable) => {
                        let reason = missing(&variable);
                        notes.leave(section, directive, &reason);
                        // What the server believes to be from here must not be from the client.
                        if directive.name != "add_header" && !name.eq_ignore_ascii_case("host") {
                            self.request.push(format!("-{name}"));
                        }
                    }
                }
            }
            _ => return false,
        }
        true
    }

    /// Writes the rules, if there are any.
    pub(super) fn write(&self, section: &mut Section) {
        for (key, rules) in [
            ("request_headers", &self.request),
            ("response_headers", &self.response),
        ] {
            if !rules.is_empty() {
                section.list(key, rules);
            }
        }
    }
}

/// Why a variable is not carried over.
fn missing(variable: &str) -> String {
    match variable {
        "$upstream_cache_status" => "answers of the store say so in X-Cache".to_owned(),
        client if client.starts_with("$ssl_client_") => {
            "servers get Client-Cert, X-Client-Cert-Subject and X-Client-Cert-San".to_owned()
        }
        other => format!("{other} has no counterpart"),
    }
}

/// Fields that upstreams get anyway, or that belong to the connection.
fn is_default_request(name: &str, value: &str) -> bool {
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
    match value {
        "$host" | "$http_host" | "$host:$server_port" => is("Host") || is("X-Forwarded-Host"),
        _ => [
            "Connection",
            "Content-Length",
            "Keep-Alive",
            "TE",
            "Transfer-Encoding",
            "Upgrade",
            "X-Real-IP",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Forwarded-Host",
            "X-Request-ID",
        ]
        .into_iter()
        .any(is),
    }
}

/// Fields that clients get anyway.
fn is_default_answer(name: &str, value: &str) -> bool {
    let is = |field: &str, default: &str| {
        name.eq_ignore_ascii_case(field) && value.eq_ignore_ascii_case(default)
    };
    let own = [
        "Alt-Svc",
        "Connection",
        "Content-Length",
        "Keep-Alive",
        "Transfer-Encoding",
        "X-Accel-Buffering",
    ];
    own.iter().any(|own| name.eq_ignore_ascii_case(own))
        || is("X-Cache", "$upstream_cache_status")
        || is("X-Content-Type-Options", "nosniff")
        || is("X-Frame-Options", "DENY")
}

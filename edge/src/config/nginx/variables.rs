//! Texts with nginx variables, as templates of ours.

/// Translates a text; `Err` names the variable that has no counterpart.
pub(super) fn template(text: &str, server_name: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{', '}']) {
        out.push_str(&rest[..at]);
        let found = &rest[at..];
        if let Some(after) = found.strip_prefix('$') {
            let (name, after) = name(after);
            out.push_str(&variable(name, server_name).ok_or_else(|| format!("${name}"))?);
            rest = after;
        } else {
            let brace = &found[..1];
            out.push_str(brace);
            out.push_str(brace);
            rest = &found[1..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The name at the start of a text and what follows it.
fn name(text: &str) -> (&str, &str) {
    if let Some((name, after)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (name, after);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = match text.starts_with(|c: char| c.is_ascii_digit()) {
        true => 1,
        false => text.find(|c| !is_name(c)).unwrap_or(text.len()),
    };
    text.split_at(end)
}

fn variable(name: &str, server_name: &str) -> Option<String> {
    let ours = match name {
        "host" => "{host}",
        "scheme" => "{scheme}",
        "request_uri" => "{uri}",
        "uri" | "document_uri" => "{path}",
        "args" | "query_string" => "{query}",
        "remote_addr" | "realip_remote_addr" => "{client_ip}",
        "remote_port" => "{client_port}",
        "request_method" => "{method}",
        "request_id" => "{request_id}",
        // Whom the route has made sure of; nginx passes on what clients say.
        "remote_user" => "{user}",
        "ssl_protocol" => "{tls_version}",
        "server_name" => server_name,
        _ => {
            let (kind, of) = name.split_once('_').unwrap_or((name, ""));
            return match (kind, of) {
                ("http", of) if !of.is_empty() => {
                    Some(format!("{{header:{}}}", of.replace('_', "-")))
                }
                ("cookie", of) if !of.is_empty() => Some(format!("{{cookie:{of}}}")),
                (digit, "") if matches!(digit.as_bytes(), [b'1'..=b'9']) => {
                    Some(format!("{{{digit}}}"))
                }
                _ => None,
            };
        }
    };
    Some(ours.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_their_counterparts() {
        for (text, ours) in [
            ("https://$host$request_uri", Ok("https://{host}{uri}")),
            ("https://$server_name$uri", Ok("https://a.example{path}")),
            ("/new/$1?x=${arg}", Err("$arg")),
            ("/new/$1", Ok("/new/{1}")),
            (
                "${http_x_tenant}-$cookie_id",
                Ok("{header:x-tenant}-{cookie:id}"),
            ),
            ("a{b}", Ok("a{{b}}")),
            ("$", Err("$")),
            ("$upstream_cache_status", Err("$upstream_cache_status")),
        ] {
            let expected = ours.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(template(text, "a.example"), expected, "{text}");
        }
    }
}

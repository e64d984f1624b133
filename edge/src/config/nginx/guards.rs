//! What keeps clients out: conditions, and questions that nobody here asks. Where one is lost, nobody is
//! let in until a person has written what takes its place.

use std::collections::BTreeSet;

use super::access::blocked;
use super::auth;
use super::scope::Scope;
use super::tree::Directive;

/// Parameters of questions, not questions.
const PARAMETERS: &[&str] = &[
    "auth_delay",
    "auth_jwt_key_file",
    "auth_jwt_key_request",
    "auth_jwt_key_cache",
    "auth_jwt_leeway",
    "auth_jwt_type",
    "auth_jwt_claim_set",
    "auth_jwt_header_set",
];

/// Parts of the names of files in which people write who gets in.
const GUARD_FILES: &[&str] = &[
    "access",
    "acl",
    "allow",
    "auth",
    "block",
    "deny",
    "forbid",
    "protect",
    "restrict",
    "whitelist",
];

/// Variables by which a client is sent elsewhere, not kept out.
const ELSEWHERE: &[&str] = &[
    "host",
    "http_host",
    "server_name",
    "scheme",
    "https",
    "server_port",
    "http_x_forwarded_proto",
    "uri",
    "document_uri",
    "request_uri",
    "request_filename",
    "document_root",
    "args",
    "query_string",
    "is_args",
    "http_user_agent",
    "http_accept_language",
];

/// Everything in force in this scope that lets some clients in and others not, and has no counterpart.
pub(super) fn lost<'a>(scope: &Scope<'a>) -> Vec<&'a Directive> {
    let mut names = BTreeSet::new();
    let mut lost = Vec::new();
    for block in scope.blocks() {
        for directive in *block {
            let name = directive.name.as_str();
            if asks(name) && names.insert(name) {
                lost.extend(scope.find(name).filter(|found| found.arg() != "off"));
            }
        }
    }
    let blocks = scope.blocks().iter().flat_map(|block| block.iter());
    lost.extend(blocks.filter(|found| is_missing_guard(found)));
    let is_told = |found: &Directive| {
        method_rule(found).is_some()
            || blocked(found, scope).is_some()
            || wants_certificate(found) && asks_for_certificates(scope)
    };
    lost.extend(ifs(scope).filter(|found| !is_told(found) && refuses(found, scope)));
    lost
}

/// The methods that a location is for, where it says so in a way that has a counterpart, and what the
/// others are answered.
pub(super) fn methods(scope: &Scope<'_>) -> Option<Methods> {
    let except = scope.own().iter().find(|d| d.name == "limit_except");
    if let Some(except) = except {
        let mut names = except.args.clone();
        if names.iter().any(|name| name == "GET") && !names.iter().any(|name| name == "HEAD") {
            names.push("HEAD".to_owned());
        }
        let inner = except.block.as_deref().unwrap_or_default();
        let nobody = matches!(inner, [only] if only.name == "deny" && only.arg() == "all");
        return Some(Methods {
            names,
            others: nobody.then_some(403),
        });
    }
    let names = ifs(scope).find_map(method_rule)?;
    let others = Some(405);
    Some(Methods { names, others })
}

/// See [`methods`].
pub(super) struct Methods {
    pub(super) names: Vec<String>,
    /// The status for all others; `None` where they were asked for something else.
    pub(super) others: Option<u16>,
}

/// What is asked of clients in a scope, as texts: whatever is asked in another scope too is in both.
pub(super) fn asked(scope: &Scope<'_>) -> BTreeSet<String> {
    let mut asked: BTreeSet<String> = lost(scope).into_iter().map(Directive::written).collect();
    for name in ["auth_basic", "auth_request"] {
        let found = scope.find(name).filter(|found| found.arg() != "off");
        asked.extend(found.map(Directive::written));
    }
    let access = scope.access().into_iter().map(Directive::written);
    asked.extend(access.filter(|rule| rule != "allow all"));
    let refused = ifs(scope).filter(|found| blocked(found, scope).is_some());
    asked.extend(refused.map(Directive::written));
    if auth::is_internal(scope) {
        asked.insert("internal".to_owned());
    }
    asked
}

/// Whether a server asks anything anywhere.
pub(super) fn any(block: &[Directive]) -> bool {
    block.iter().any(|directive| {
        let name = directive.name.as_str();
        matches!(
            name,
            "allow" | "deny" | "auth_basic" | "auth_request" | "internal" | "limit_except"
        ) || asks(name)
            || directive.block.as_deref().is_some_and(any)
    })
}

fn asks(name: &str) -> bool {
    let starts = ["auth_", "access_by_", "rewrite_by_lua"];
    starts.iter().any(|start| name.starts_with(start))
        && !auth::NAMES.contains(&name)
        && !PARAMETERS.contains(&name)
}

/// An `include` of a file that is not there, which by its name said who gets in.
fn is_missing_guard(directive: &Directive) -> bool {
    let file = directive.arg().to_ascii_lowercase();
    let name = file.rsplit('/').next().unwrap_or_default();
    directive.name == "include" && GUARD_FILES.iter().any(|part| name.contains(part))
}

/// Conditions of the server and of the locations inside it.
fn ifs<'a>(scope: &Scope<'a>) -> impl Iterator<Item = &'a Directive> {
    let blocks: Vec<&'a [Directive]> = scope.blocks().iter().skip(1).copied().collect();
    let all = blocks.into_iter().flatten();
    all.filter(|directive| directive.name == "if")
}

/// Whether the whole of a server is for clients that have shown a certificate which it believes.
pub(super) fn asks_for_certificates(scope: &Scope<'_>) -> bool {
    let server = scope.blocks().get(1).copied().unwrap_or_default();
    let verify = scope.find("ssl_verify_client").map(Directive::arg);
    let names = ["ssl_client_certificate", "ssl_trusted_certificate"];
    let is_asked = verify == Some("on") || server.iter().any(wants_certificate);
    let is_judged = names.iter().any(|name| scope.find(name).is_some());
    matches!(verify, Some("on" | "optional")) && is_asked && is_judged
}

/// `if ($ssl_client_verify != SUCCESS) { return 403; }`
pub(super) fn wants_certificate(directive: &Directive) -> bool {
    let block = directive.block.as_deref().unwrap_or_default();
    directive.name == "if"
        && matches!(block, [only] if only.name == "return" && is_refusal(only))
        && condition(directive) == "$ssl_client_verify != SUCCESS"
}

/// `if ($scheme != https) { return 301 https://$host$request_uri; }`, as certbot has written it: what a
/// host with a certificate does anyway.
pub(super) fn sends_to_https(directive: &Directive) -> bool {
    let is_plain = matches!(
        &*condition(directive),
        "$scheme != https" | "$scheme = http" | "$https =" | "$https != on" | "$server_port = 80"
    );
    let hosts = ["$host", "$http_host", "$server_name"];
    let same = |to: &str| {
        let to = to.strip_prefix("https://").unwrap_or_default();
        hosts
            .iter()
            .any(|host| to.strip_prefix(host) == Some("$request_uri"))
    };
    let block = directive.block.as_deref().unwrap_or_default();
    let moves = |only: &Directive| {
        matches!(&*only.name, "return" | "rewrite") && only.args.iter().any(|arg| same(arg))
    };
    directive.name == "if" && is_plain && matches!(block, [only] if moves(only))
}

/// What stands between the brackets of a condition.
pub(super) fn condition(directive: &Directive) -> String {
    let joined = directive.args.join(" ");
    let inner = joined.strip_prefix('(').unwrap_or(&joined);
    inner.strip_suffix(')').unwrap_or(inner).trim().to_owned()
}

/// `if ($request_method !~ ^(GET|HEAD|POST)$) { return 405; }`
pub(super) fn method_rule(directive: &Directive) -> Option<Vec<String>> {
    let block = directive.block.as_deref()?;
    if !matches!(block, [only] if only.name == "return" && is_refusal(only)) {
        return None;
    }
    let condition = condition(directive);
    let rest = condition.strip_prefix("$request_method")?.trim();
    let names = match rest.strip_prefix("!=") {
        Some(name) => name.trim(),
        None => {
            let regex = rest.strip_prefix("!~")?.trim().trim_matches('"');
            let inner = regex.strip_prefix("^(")?.strip_suffix(")$")?;
            inner.strip_prefix("?:").unwrap_or(inner)
        }
    };
    let names: Vec<String> = names.split('|').map(str::to_owned).collect();
    let is_name = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase());
    names.iter().all(is_name).then_some(names)
}

fn is_refusal(directive: &Directive) -> bool {
    directive.arg().parse().is_ok_and(|code: u16| code >= 400)
}

/// Whether a condition keeps somebody out. One that looks at nothing but the name that a program gives
/// itself does not: whoever wants to gives another.
fn refuses(directive: &Directive, scope: &Scope<'_>) -> bool {
    let condition = condition(directive);
    let variables = variables(&condition);
    let is_agent = |name: &String| {
        let made = format!("${name}");
        let maps = scope.blocks().first().copied().unwrap_or_default();
        let from_agent = maps.iter().any(|map| {
            map.name == "map" && map.arg() == "$http_user_agent" && map.args.last() == Some(&made)
        });
        name == "http_user_agent" || from_agent
    };
    if !variables.is_empty() && variables.iter().all(is_agent) {
        return false;
    }
    // Other hosts are refused anyway.
    let is_other_host = condition.starts_with("$host !") || condition.starts_with("$http_host !");
    let leaves = |target: &str| {
        let is_table = variables
            .iter()
            .any(|name| target.contains(&format!("${name}")));
        !is_table
            && variables
                .iter()
                .any(|name| !ELSEWHERE.contains(&name.as_str()))
    };
    let block = directive.block.as_deref().unwrap_or_default();
    block
        .iter()
        .any(|inner| match (&*inner.name, inner.arg().parse::<u16>()) {
            ("return", Ok(code)) if code >= 400 => !is_other_host,
            ("return", Ok(300..400)) => leaves(inner.args.get(1).map_or("", String::as_str)),
            ("return", Ok(_)) => false,
            ("return", Err(_)) => leaves(inner.arg()),
            ("rewrite", _) => leaves(inner.args.get(1).map_or("", String::as_str)),
            ("deny", _) => true,
            _ => false,
        })
}

/// The names of the variables in a text.
fn variables(text: &str) -> Vec<String> {
    let behind = text.split('$').skip(1);
    let name = |text: &str| -> String {
        let text = text.strip_prefix('{').unwrap_or(text);
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        text.chars().take_while(is_name).collect()
    };
    behind.map(name).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests;

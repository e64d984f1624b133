//! What clients prove: `auth_basic` and `auth_request`.

use super::document::{Section, text};
use super::notes::Notes;
use super::scope::Scope;
use super::tree::Directive;
use super::upstream::Upstreams;

/// Directives that are looked at here, wherever they stand.
pub(super) const NAMES: &[&str] = &[
    "auth_basic",
    "auth_basic_user_file",
    "auth_request",
    "auth_request_set",
    "internal",
];

/// A location that only nginx itself asks for, as services are asked, or one inside it.
pub(super) fn is_internal(scope: &Scope<'_>) -> bool {
    scope.find("internal").is_some()
}

/// Writes what the location of this scope asks of its clients; hands out what cannot be asked here.
pub(super) fn auth<'a>(
    scope: &Scope<'a>,
    upstreams: &mut Upstreams,
    section: &mut Section,
    notes: &mut Notes,
) -> Vec<&'a Directive> {
    let mut lost = Vec::new();
    if let Some(realm) = scope
        .find("auth_basic")
        .filter(|realm| realm.arg() != "off")
    {
        match scope.find("auth_basic_user_file") {
            Some(file) => {
                let (file, realm) = (text(file.arg()), text(realm.arg()));
                section.raw(
                    "basic_auth",
                    format!("{{ file = {file}, realm = {realm} }}"),
                );
            }
            None => {
                notes.leave(section, realm, "there is no auth_basic_user_file");
                lost.push(realm);
            }
        }
    }
    let asked = scope
        .find("auth_request")
        .filter(|asked| asked.arg() != "off");
    let Some(asked) = asked else { return lost };
    match service(scope, asked.arg(), upstreams) {
        Ok((upstream, path)) => {
            let (upstream, path) = (text(&upstream), text(&path));
            let names: Vec<String> = told(scope).iter().map(|name| text(name)).collect();
            let names = match names.is_empty() {
                true => String::new(),
                false => format!(", upstream_headers = [{}]", names.join(", ")),
            };
            let table = format!("{{ upstream = {upstream}, path = {path}{names} }}");
            section.raw("auth_request", table);
        }
        Err(reason) => {
            notes.leave(section, asked, reason);
            lost.push(asked);
        }
    }
    lost
}

/// Whether a `proxy_set_header` passes on what a service has said under the same name.
pub(super) fn is_told(directive: &Directive, scope: &Scope<'_>) -> bool {
    directive.name == "proxy_set_header"
        && told(scope)
            .iter()
            .any(|name| name.eq_ignore_ascii_case(directive.arg()))
}

/// The fields of a service's answer that the upstream gets: those that are kept in a variable and
/// set from it.
fn told(scope: &Scope<'_>) -> Vec<String> {
    let kept = scope.all("auth_request_set");
    let field = |variable: &str| -> Option<String> {
        let set = kept.iter().find(|set| set.arg() == variable)?;
        let name = set.args.get(1)?.strip_prefix("$upstream_http_")?;
        Some(name.replace('_', "-"))
    };
    let set = scope.all("proxy_set_header");
    let told = set.iter().filter_map(|directive| {
        let name = directive.arg();
        let from = field(directive.args.get(1)?)?;
        name.eq_ignore_ascii_case(&from).then(|| name.to_owned())
    });
    told.collect()
}

/// Where the location of this URI passes requests on, and for which path it asks there.
fn service(
    scope: &Scope<'_>,
    uri: &str,
    upstreams: &mut Upstreams,
) -> Result<(String, String), &'static str> {
    let location = scope
        .location(uri)
        .ok_or("the location it names is not there")?;
    let block = location.block.as_deref().unwrap_or_default();
    let pass = block
        .iter()
        .find(|directive| directive.name == "proxy_pass");
    let url = pass.ok_or("the location it names passes nothing on")?.arg();
    let rest = url
        .strip_prefix("http://")
        .filter(|rest| !rest.contains('$') && !rest.starts_with("unix:"))
        .ok_or("the service is not reached over plain HTTP and TCP")?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (server, path) = rest.split_at(end);
    let path = if path.is_empty() { uri } else { path };
    Ok((upstreams.resolve(server).0, path.to_owned()))
}

//! `error_page`, as files of a host.

use std::path::{Path, PathBuf};

use super::document::Section;
use super::notes::Notes;
use super::scope::Scope;
use super::tree::Directive;

/// Writes the pages in force in a server.
pub(super) fn pages(section: &mut Section, scope: &Scope<'_>, notes: &mut Notes) {
    let mut pages = Vec::new();
    for directive in scope.all("error_page") {
        match page(directive, scope) {
            Ok(found) => pages.extend(found),
            Err(reason) => notes.leave(section, directive, &reason),
        }
    }
    if !pages.is_empty() {
        section.list("error_pages", &pages);
    }
}

/// Each status with its file.
fn page(directive: &Directive, scope: &Scope<'_>) -> Result<Vec<String>, String> {
    let Some((uri, codes)) = directive.args.split_last() else {
        return Err("it names no page".to_owned());
    };
    if codes.iter().any(|code| code.starts_with('=')) {
        return Err("the status stays what it is".to_owned());
    }
    if !uri.starts_with('/') || uri.contains('$') {
        return Err("a page is a file".to_owned());
    }
    let is_error = |code: &String| {
        code.parse()
            .is_ok_and(|code: u16| (400..600).contains(&code))
    };
    if !codes.iter().all(is_error) {
        return Err("pages are for 400 to 599".to_owned());
    }
    let file = file(uri, scope).ok_or("nothing says in which directory the page is")?;
    // Pages are read with the configuration: one that is not there would be an error.
    if !file.is_file() {
        return Err(format!("{} is not on this machine", file.display()));
    }
    let shown = file.display();
    Ok(codes
        .iter()
        .map(|code| format!("{code}: {shown}"))
        .collect())
}

/// The file of a URI, by the location for exactly it or by the server.
fn file(uri: &str, scope: &Scope<'_>) -> Option<PathBuf> {
    let location = scope.location(uri);
    let block = location.and_then(|location| location.block.as_deref());
    let own = |name: &str| block?.iter().find(|directive| directive.name == name);
    let file = match (own("alias"), own("root").or_else(|| scope.find("root"))) {
        (Some(alias), _) => PathBuf::from(alias.arg()),
        (None, Some(root)) => Path::new(root.arg()).join(&uri[1..]),
        (None, None) => return None,
    };
    (file.is_absolute() && !file.to_string_lossy().contains('$')).then_some(file)
}

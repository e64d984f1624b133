//! Where a route sends clients, and the templates in which it says so.

use http::StatusCode;

use crate::config::item::Item;
use crate::config::types::{Piece, Template, Variable};
use crate::config::value::parse_template;
use crate::config::{PathMatch, RedirectAction};

pub(super) fn redirect_to(
    item: &Item<'_>,
    status: StatusCode,
    path: &PathMatch,
) -> Option<RedirectAction> {
    let to = template(item, Some(path))?;
    let absolute = match to.pieces.first() {
        Some(Piece::Text(text)) => {
            text.starts_with("https://")
                || text.starts_with("http://")
                || (text.starts_with('/') && !text.starts_with("//"))
        }
        Some(Piece::Variable(variable)) => matches!(
            variable,
            Variable::Scheme | Variable::Path | Variable::Uri | Variable::Rest
        ),
        None => false,
    };
    if !absolute {
        item.error("is no place to go to; write \"https://other.example{uri}\" or \"/path\"");
        return None;
    }
    if let Some(variable) = chooses_host(&to, path) {
        item.error(format!(
            "{variable} stands in the name of the host, so a client could choose where it leads; \
             write a slash before it"
        ));
        return None;
    }
    Some(RedirectAction { status, to })
}

/// A variable by which a client could extend the host of an absolute URL: `https://a.example{1}`
/// with a group of `.evil.example`.
fn chooses_host<'a>(to: &'a Template, path: &PathMatch) -> Option<&'a Variable> {
    let mut before = String::new();
    for piece in &to.pieces {
        match piece {
            Piece::Text(text) => before.push_str(text),
            Piece::Variable(Variable::Scheme) => before.push_str("http"),
            Piece::Variable(Variable::Host | Variable::Port) => before.push('h'),
            Piece::Variable(Variable::Path | Variable::Uri) => return None,
            Piece::Variable(Variable::Rest) if !matches!(path, PathMatch::Regex(_)) => {
                return None;
            }
            Piece::Variable(other) => return Some(other),
        }
        let after_scheme = before.split_once("://").map_or("/", |(_, rest)| rest);
        if after_scheme.contains(['/', '?']) {
            return None;
        }
    }
    None
}

/// A template; groups must be those of the route's expression.
pub(super) fn template(item: &Item<'_>, path: Option<&PathMatch>) -> Option<Template> {
    let template = item.parse("text such as \"/v2{rest}\"", parse_template)?;
    let groups = match path {
        Some(PathMatch::Regex(regex)) => regex.captures_len() - 1,
        Some(_) => 0,
        None => usize::MAX,
    };
    for variable in template.variables() {
        match variable {
            Variable::Group(n) if *n > groups => {
                item.error(format!(
                    "uses {{{n}}}, and the path of this route has {groups} groups in brackets"
                ));
            }
            _ => {}
        }
    }
    Some(template)
}

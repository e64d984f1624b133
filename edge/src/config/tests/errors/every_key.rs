//! Every key of every table, given values that it cannot have: each is an error that names the file, the
//! line, the key and the value, and says what may stand there. The keys come from the tables themselves, so one that is new has its case.

use crate::config::report::Diagnostic;
use crate::config::schema::{Key, Kind, SECTIONS, TOP};
use crate::config::tests::support::load;

/// Nothing in a configuration is a date.
const DATE: &str = "1979-05-27";

/// Values that a key of this kind cannot have.
fn bad(kind: Kind) -> Vec<String> {
    let texts = |texts: &[&str]| texts.iter().map(|text| format!("\"{text}\"")).collect();
    let more: Vec<String> = match kind {
        Kind::Flag => vec!["1".to_owned(), "\"true\"".to_owned()],
        Kind::Integer(least, most) => {
            let beyond = [least.checked_sub(1), most.checked_add(1)];
            let numbers = beyond
                .into_iter()
                .flatten()
                .map(|number| number.to_string());
            numbers.chain(["-1".to_owned(), "0.5".to_owned()]).collect()
        }
        Kind::Duration => texts(&["5", "s", "-1s", "1 fortnight", "99999999999999999999d"]),
        Kind::Size => texts(&["1XB", "KiB", "-1", "99999999999999999999GiB"]),
        Kind::Rate => texts(&["5", "5/y", "/s", "-5/s"]),
        Kind::Words(_) | Kind::WordsOf(_) => texts(&["no-such-word", ""]),
        Kind::Text => vec!["3".to_owned(), "true".to_owned(), "[]".to_owned()],
        Kind::Secrets | Kind::FieldRules => vec!["3".to_owned(), format!("[{DATE}]")],
        Kind::List(inner) => {
            let inner = bad(*inner).into_iter().map(|value| format!("[{value}]"));
            inner.chain(["3".to_owned()]).collect()
        }
        // What one of them cannot be another may.
        Kind::Any(_) => Vec::new(),
        Kind::Table(_) => vec![format!("[{DATE}]")],
        Kind::Tables(_) | Kind::Named(_) => vec!["\"text\"".to_owned()],
    };
    [DATE.to_owned()].into_iter().chain(more).collect()
}

/// A file in which all is well but for one line, and the number of that line.
fn file(title: &str, key: &Key, value: &str) -> (String, usize) {
    let line = format!("{} = {value}", key.name);
    let unless = |name: &str, text: &str| match key.name == name {
        true => String::new(),
        false => format!("{text}\n"),
    };
    let names = "names = [\"*\"]";
    let certificate = "certificate = \"c.pem\"\nkey = \"k.pem\"";
    let upstream = "upstream = \"127.0.0.1:1\"";
    let host = format!("[[host]]\n{names}\n");
    let route = format!("[[host.route]]\n{upstream}\n");
    let minimal = format!("{host}{route}");
    let tools = "[upstream.tools]\nservers = [\"127.0.0.1:1\"]\n";
    let (before, after) = match title {
        "" => (String::new(), unless("host", &minimal)),
        "[[host]]" => {
            let with_certificate = match key.name {
                "certificate" | "key" => String::new(),
                _ => format!("{certificate}\n"),
            };
            let start = format!("[[host]]\n{}{with_certificate}", unless("names", names));
            (start, unless("route", &route))
        }
        "[[host.route]]" => {
            // Another action stands in place of the upstream.
            let action = match key.name {
                "upstream" | "redirect" | "respond" | "files" => "",
                "status" | "content_type" => "respond = \"text\"\n",
                _ => &format!("{upstream}\n"),
            };
            (format!("{host}[[host.route]]\n{action}"), String::new())
        }
        "[host.route.files]" => {
            let root = unless("root", "root = \"/srv\"");
            let start = format!("{host}[[host.route]]\n[host.route.files]\n{root}");
            (start, String::new())
        }
        "[upstream.NAME.servers]" => {
            let address = unless("address", "address = \"127.0.0.1:1\"");
            let start = format!("{minimal}[[upstream.tools.servers]]\n{address}");
            (start, String::new())
        }
        "[upstream.NAME]" => {
            let servers = unless("servers", "servers = [\"127.0.0.1:1\"]");
            let start = format!("{minimal}[upstream.tools]\n{servers}");
            (start, String::new())
        }
        "[upstream.NAME.tls]" => {
            let tools = tools.replace("127", "https://127");
            (
                format!("{minimal}{tools}[upstream.tools.tls]\n"),
                String::new(),
            )
        }
        title => {
            let below = title.replace("NAME", "tools");
            let below = match (title, key.name) {
                ("[limits.NAME]", "burst") => format!("{below}\nrequests = \"1/s\""),
                _ => below,
            };
            let tools = if title.contains("[upstream") {
                tools
            } else {
                ""
            };
            (format!("{minimal}{tools}{below}\n"), String::new())
        }
    };
    let number = before.lines().count() + 1;
    (format!("{before}{line}\n{after}"), number)
}

/// Whether an error is all that a person needs to mend it: the line is shown as it stands, unless it
/// holds a secret.
fn says_all(error: &Diagnostic, key: &Key, value: &str, line: usize) -> bool {
    let (shown, message) = (error.to_string(), error.message());
    let fixes = [
        "write ",
        "must be",
        "did you mean",
        "there are",
        "there is no",
        "add ",
        "at least",
        "at most",
        "is not one of",
    ];
    shown.starts_with(&format!("edge.toml:{line}:"))
        && (shown.contains(value) || matches!(key.kind, Kind::Secrets))
        && message.contains(&format!("`{}`", key.name))
        && fixes.iter().any(|fix| message.contains(fix))
}

#[test]
fn every_key_refuses_what_it_cannot_be_with_its_line() {
    let mut cases = 0;
    let mut unnoticed = Vec::new();
    for schema in std::iter::once(&TOP).chain(SECTIONS) {
        for key in schema.keys {
            for value in bad(key.kind) {
                let (text, line) = file(schema.title, key, &value);
                let found = load(&text).err();
                let errors = found.iter().flat_map(|errors| errors.iter());
                let is_said = errors
                    .filter(|error| error.line() == Some(line))
                    .any(|error| says_all(error, key, &value, line));
                if !is_said {
                    let said = found.map_or("no error".to_owned(), |errors| errors.to_string());
                    unnoticed.push(format!("{} {} = {value}:\n{said}", schema.title, key.name));
                }
                cases += 1;
            }
        }
    }
    let count = unnoticed.len();
    assert!(count == 0, "{count} of {cases}:\n{}", unnoticed.join("\n"));
    assert!(cases > 800, "{cases}");
}

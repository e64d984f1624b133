//! `edge config show`: a file as it is understood, with what it does not say.

use std::fmt::Write as _;

use toml::de::{DeTable, DeValue};

use super::schema::{Default, Key, Kind, Schema, TOP};
use super::source::Source;
use super::{Config, Loaded};

/// Words in the name of a field whose value is a credential.
const CREDENTIALS: &[&str] = &["auth", "cookie", "token", "secret", "key", "password"];

impl Loaded {
    /// The configuration as TOML: what the file says with its line, and the defaults of the rest. It
    /// means the same as the file, but for secrets, which are left out.
    pub fn show(&self) -> String {
        let parsed = DeTable::parse(self.source.text()).expect("it has been read before");
        let mut out = String::new();
        let writer = Writer {
            source: &self.source,
            config: &self.config,
        };
        writer.table(&mut out, "", parsed.get_ref(), &TOP);
        out
    }
}

struct Writer<'a> {
    source: &'a Source,
    config: &'a Config,
}

impl Writer<'_> {
    /// The keys of a table, then the tables below it. `path` is empty or ends in a dot.
    fn table(&self, out: &mut String, path: &str, table: &DeTable<'_>, schema: &Schema) {
        for key in schema.keys {
            let given = table.get(key.name);
            match given.map(|value| value.get_ref()) {
                Some(DeValue::Table(_)) if key.table().is_some() => {}
                Some(DeValue::Array(_)) if matches!(key.kind, Kind::Tables(_)) => {}
                Some(value) => {
                    let line = self
                        .source
                        .line(given.map_or(0, |value| value.span().start));
                    self.given(out, key, value, line);
                }
                None => self.absent(out, path, key, table),
            }
        }
        for key in schema.keys {
            let Some(below) = key.table() else { continue };
            let name = format!("{path}{}", key.name);
            match (key.kind, table.get(key.name).map(|value| value.get_ref())) {
                (Kind::List(_), _) => {}
                (Kind::Named(_), Some(DeValue::Table(tables))) => {
                    for (name_below, table) in tables {
                        let Some(table) = table.get_ref().as_table() else {
                            continue;
                        };
                        let name = format!("{name}.{}", bare(name_below.get_ref()));
                        let _ = write!(out, "\n[{name}]\n");
                        self.table(out, &format!("{name}."), table, below);
                    }
                }
                (Kind::Tables(_), Some(DeValue::Array(tables))) => {
                    for table in tables.iter().filter_map(|one| one.get_ref().as_table()) {
                        let _ = write!(out, "\n[[{name}]]\n");
                        self.table(out, &format!("{name}."), table, below);
                    }
                }
                (_, Some(DeValue::Table(table))) => {
                    let _ = write!(out, "\n[{name}]\n");
                    self.table(out, &format!("{name}."), table, below);
                }
                (_, None) if key.default == Default::Is("") => {
                    let _ = write!(out, "\n[{name}]\n");
                    self.table(out, &format!("{name}."), &DeTable::new(), below);
                }
                _ => {}
            }
        }
    }

    fn given(&self, out: &mut String, key: &Key, value: &DeValue<'_>, line: usize) {
        let name = key.name;
        let _ = match (key.kind, value) {
            (Kind::Secrets, DeValue::Array(secrets)) => {
                let count = secrets.len();
                writeln!(out, "# {name}: {count} of them, not shown  # line {line}")
            }
            (Kind::Secrets, _) => writeln!(out, "# {name}: not shown  # line {line}"),
            (Kind::FieldRules, DeValue::Array(rules)) => {
                let rules = rules.iter().map(|rule| match rule.get_ref().as_str() {
                    Some(rule) => quoted(&without_credential(rule)),
                    None => inline(rule.get_ref()),
                });
                let rules: Vec<String> = rules.collect();
                writeln!(out, "{name} = [{}]  # line {line}", rules.join(", "))
            }
            _ => writeln!(out, "{name} = {}  # line {line}", inline(value)),
        };
    }

    fn absent(&self, out: &mut String, path: &str, key: &Key, table: &DeTable<'_>) {
        if key.table().is_some() || key.with.is_some_and(|other| !table.contains_key(other)) {
            return;
        }
        let name = key.name;
        let _ = match (self.found(path, name), key.default) {
            (Some(value), _) => writeln!(out, "{name} = {value}  # default"),
            (None, Default::Is(text)) => {
                writeln!(out, "{name} = {}  # default", key.kind.as_toml(text))
            }
            (None, Default::Depends(on)) => writeln!(out, "# {name}: {on}"),
            (None, Default::Nothing | Default::Needed) => Ok(()),
        };
    }

    /// Defaults that depend on the machine or on other keys.
    fn found(&self, path: &str, name: &str) -> Option<String> {
        let listen = &self.config.listen;
        let addresses = |list: &[std::net::SocketAddr]| {
            let list: Vec<String> = list.iter().map(|one| quoted(&one.to_string())).collect();
            format!("[{}]", list.join(", "))
        };
        match (path, name) {
            ("", "workers") => Some(self.config.workers.to_string()),
            ("listen.", "https") => Some(addresses(&listen.https)),
            ("listen.", "quic") => Some(addresses(&listen.quic)),
            ("listen.", "redirect") => Some(listen.redirect.to_string()),
            ("limit.", "burst") => {
                let limit = self.config.limit.as_ref();
                limit.map(|limit| limit.rate.burst.to_string())
            }
            _ => None,
        }
    }
}

/// A rule for a field, without the value if that is a credential.
fn without_credential(rule: &str) -> String {
    let Some((field, _)) = rule.split_once(':') else {
        return rule.to_owned();
    };
    let name = field.to_ascii_lowercase();
    match CREDENTIALS.iter().any(|word| name.contains(word)) {
        true => format!("{field}: (not shown)"),
        false => rule.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A name between the dots of a header.
fn bare(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match !name.is_empty() && name.bytes().all(plain) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// A value on one line.
fn inline(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| inline(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) => {
            let entries: Vec<String> = table
                .iter()
                .map(|(key, value)| {
                    format!("{} = {}", bare(key.get_ref()), inline(value.get_ref()))
                })
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Loaded};

    /// The defaults of the schema are those of the reader: written out they change nothing.
    fn means_the_same(text: &str) -> String {
        let path = Path::new("/etc/edge/edge.toml");
        let loaded = Loaded::parse(text, path).unwrap_or_else(|errors| panic!("{errors}"));
        let shown = loaded.show();
        let again = Config::parse(&shown, path);
        let again = again.unwrap_or_else(|errors| panic!("{errors}\n{shown}"));
        let (before, after) = (format!("{:#?}", loaded.config), format!("{again:#?}"));
        let mut lines = before.lines().zip(after.lines());
        let differing = lines.find(|(before, after)| before != after);
        assert_eq!(differing, None, "{shown}");
        assert_eq!(before.len(), after.len());
        shown
    }

    const MINIMAL: &str =
        "[[host]]\nnames = [\"*\"]\n[[host.route]]\nupstream = \"http://127.0.0.1:8000\"\n";

    #[test]
    fn defaults_written_out_change_nothing() {
        let shown = means_the_same(MINIMAL);
        for line in [
            "user = \"nobody\"  # default",
            "names = [\"*\"]  # line 2",
            "keep_alive = \"15s\"  # default",
            "# methods: all",
            "[limit.penalty]",
        ] {
            assert!(shown.contains(line), "{line} is not in\n{shown}");
        }
        means_the_same(&format!(
            "{MINIMAL}mcp = true\n[[host.route]]\npath = \"/a\"\nredirect = \"/b\"\n\
             [[host.route]]\npath = \"/c\"\nrespond = \"d\"\nstatus = 201\n\
             [[host.route]]\npath = \"/e\"\nupstream = \"u\"\nlimits = [\"l\"]\n\
             [[host.route]]\npath = \"/f\"\nupstream = \"u\"\n[host.route.mcp]\ntools_deny = [\"x\"]\n\
             [host.route.mcp.limit]\ncalls = \"5/s\"\n[[host.route.mcp.tool]]\nname = \"t\"\n\
             [limits.l]\nconcurrent = 5\n[limits.m]\nrequests = \"5/s\"\n[limit]\nrequests = \"off\"\n\
             [upstream.u]\nservers = [\"127.0.0.1:1\", {{ address = \"127.0.0.1:2\", backup = true }}]\n\
             [upstream.u.check]\npath = \"/h\"\n"
        ));
    }

    #[test]
    fn nobody_sees_secrets() {
        let text = "[[host]]\nnames = [\"*\"]\nrequest_headers = [\"Authorization: Bearer s3cr3t\", \"X-A: b\"]\n\
             [[host.route]]\nupstream = \"http://127.0.0.1:8000\"\n[host.route.mcp]\n\
             session_secrets = [\"0123456789abcdef0123456789abcdef\"]\n";
        let loaded = Loaded::parse(text, Path::new("/e.toml")).expect("valid");
        let shown = loaded.show();
        assert!(
            !shown.contains("s3cr3t") && !shown.contains("0123456789abcdef"),
            "{shown}"
        );
        assert!(
            shown.contains("\"Authorization: (not shown)\", \"X-A: b\""),
            "{shown}"
        );
        assert!(
            shown.contains("# session_secrets: 1 of them, not shown"),
            "{shown}"
        );
    }
}

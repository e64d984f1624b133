//! Files of passwords and keys: read through the file seam, for only root may be able to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Config;
use super::types::{Authentication, KeyNames, Users};
use super::value::{parse_key_line, parse_users};
use crate::files::Files;

/// Tens of thousands of users.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and where in it; without the secret.
    pub message: String,
}

impl Config {
    /// Reads every file of passwords and keys that hosts and routes name. All errors are found; then
    /// nothing is to be served with what was read.
    pub fn read_secrets(&mut self, files: &dyn Files) -> Result<(), Vec<SecretError>> {
        let mut users: HashMap<PathBuf, Result<Arc<Users>, String>> = HashMap::new();
        let mut keys: HashMap<PathBuf, Result<String, String>> = HashMap::new();
        let mut errors = Vec::new();
        let mut wrong = |path: &Path, message: &str| {
            let error = SecretError {
                path: path.to_owned(),
                message: format!("{} {message}", path.display()),
            };
            if !errors.contains(&error) {
                errors.push(error);
            }
        };
        let routes = self.hosts.iter_mut().flat_map(|host| &mut host.routes);
        for Authentication {
            basic, keys: api, ..
        } in routes.map(|route| &mut route.auth)
        {
            if let Some(basic) = basic {
                let basic = Arc::make_mut(basic);
                let read = users.entry(basic.file.clone()).or_insert_with(|| {
                    let text = text(&basic.file, files)?;
                    parse_users(&text).map(Arc::new)
                });
                match read {
                    Ok(users) => basic.users = Arc::clone(users),
                    Err(message) => wrong(&basic.file, message),
                }
            }
            let Some(api) = api else { continue };
            let api = Arc::make_mut(api);
            let Some(file) = &api.file else { continue };
            let read = keys
                .entry(file.clone())
                .or_insert_with(|| text(file, files));
            let named = read
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|text| with_file(&api.inline, text));
            match named {
                Ok(names) => api.names = Arc::new(names),
                Err(message) => wrong(file, &message),
            }
        }
        match errors.is_empty() {
            true => Ok(()),
            false => Err(errors),
        }
    }

    /// Whether another one has the same passwords and keys for the same routes.
    pub fn same_secrets(&self, other: &Config) -> bool {
        let of = |config: &Config| -> Vec<_> {
            let routes = config.hosts.iter().flat_map(|host| &host.routes);
            let auth = routes.map(|route| (route.auth.basic.clone(), route.auth.keys.clone()));
            auth.collect()
        };
        of(self) == of(other)
    }

    /// The files of passwords and keys.
    pub(super) fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let routes = self.hosts.iter().flat_map(|host| &host.routes);
        routes.flat_map(|route| {
            let basic = route.auth.basic.as_ref().map(|basic| &*basic.file);
            let keys = route.auth.keys.as_ref();
            basic
                .into_iter()
                .chain(keys.and_then(|keys| keys.file.as_deref()))
        })
    }
}

/// The keys of a file beside those of the configuration.
fn with_file(inline: &KeyNames, text: &str) -> Result<KeyNames, String> {
    let mut names = inline.clone();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, hash) = parse_key_line(line).map_err(|what| format!("line {number}: {what}"))?;
        if !names.add(hash, name) {
            return Err(format!("line {number}: this key is there twice"));
        }
    }
    Ok(names)
}

fn text(path: &Path, files: &dyn Files) -> Result<String, String> {
    let bytes = files
        .read(path, FILE_BYTES_MAX + 1)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err("is larger than 4MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

//! Directives and blocks, with the files that `include` names put in place.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::Error;
use super::token::{Token, Tokens};

/// Blocks inside blocks: nginx itself needs five.
const DEPTH_MAX: usize = 32;
/// Files included by files: more is a circle.
const INCLUDES_MAX: usize = 16;
/// Directives over all files.
const DIRECTIVES_MAX: usize = 100_000;
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// One directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    /// Its name.
    pub(super) name: String,
    /// Its arguments, unquoted.
    pub(super) args: Vec<String>,
    /// What stands in its braces.
    pub(super) block: Option<Vec<Directive>>,
    /// The file it stands in.
    pub(super) file: Rc<Path>,
    /// Its line there, from 1.
    pub(super) line: u32,
}

impl Directive {
    /// The first argument, or nothing.
    pub(super) fn arg(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// How it is written, without its block.
    pub(super) fn written(&self) -> String {
        let mut text = self.name.clone();
        for arg in &self.args {
            let plain = !arg.is_empty() && !arg.contains([' ', ';', '{', '}', '"', '\'', '\n']);
            text.push(' ');
            match plain {
                true => text.push_str(arg),
                false => text.push_str(&format!("{arg:?}")),
            }
        }
        text
    }
}

/// Reads a file and what it includes. Paths that are not absolute start at the directory of
/// `nginx.conf`, as they do in nginx, or at the file's own.
pub(super) fn read(file: &Path) -> Result<(Vec<Directive>, Vec<Missing>), Error> {
    let mut reader = Reader {
        bases: bases(file),
        missing: Vec::new(),
        directives: 0,
    };
    let directives = reader.file(file, 0)?;
    Ok((directives, reader.missing))
}

/// An `include` of a file that cannot be read here: the rest can be converted without it.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) file: Rc<Path>,
    pub(super) line: u32,
    pub(super) included: PathBuf,
    pub(super) cause: std::io::Error,
}

/// Where included files may be: a file of `sites-enabled` is part of the `nginx.conf` above it.
fn bases(file: &Path) -> Vec<PathBuf> {
    let own = file.parent().unwrap_or(Path::new(""));
    let absolute = std::path::absolute(file).unwrap_or_default();
    let mut above = absolute.ancestors().skip(1);
    let whole = above.find(|directory| directory.join("nginx.conf").is_file());
    let whole = whole.filter(|whole| Some(*whole) != absolute.parent());
    whole.into_iter().chain([own]).map(Path::to_owned).collect()
}

struct Reader {
    bases: Vec<PathBuf>,
    missing: Vec<Missing>,
    directives: usize,
}

impl Reader {
    fn file(&mut self, path: &Path, depth: usize) -> Result<Vec<Directive>, Error> {
        let text = read_bounded(path).map_err(|cause| Error {
            file: path.to_owned(),
            line: 0,
            problem: cause.to_string(),
        })?;
        self.text(&text, &Rc::from(path), depth)
            .map_err(|error| error.in_file(path))
    }

    fn text(
        &mut self,
        text: &str,
        file: &Rc<Path>,
        includes: usize,
    ) -> Result<Vec<Directive>, Error> {
        let mut tokens = Tokens::new(text);
        // The innermost block is last; the first is the file itself.
        let mut open: Vec<Vec<Directive>> = vec![Vec::new()];
        let mut heads: Vec<Directive> = Vec::new();
        let mut head: Option<Directive> = None;
        while let Some((token, line)) = tokens.next()? {
            match token {
                Token::Word(word) => match &mut head {
                    Some(directive) => directive.args.push(word),
                    None => head = Some(self.start(word, file, line)?),
                },
                Token::End => {
                    let directive = head
                        .take()
                        .ok_or_else(|| Error::at(line, "`;` without a directive"))?;
                    let block = open.last_mut().expect("the file's own is never closed");
                    match directive.name == "include" {
                        true => {
                            let included = self.include(&directive, includes)?;
                            block.extend(included);
                        }
                        false => block.push(directive),
                    }
                }
                Token::Open => {
                    let directive = head
                        .take()
                        .ok_or_else(|| Error::at(line, "`{` without a directive"))?;
                    if heads.len() == DEPTH_MAX {
                        return Err(Error::at(line, "too many blocks inside each other"));
                    }
                    if directive.name.ends_with("_by_lua_block") {
                        tokens.skip_lua()?;
                        let block = open.last_mut().expect("the file's own is never closed");
                        block.push(Directive {
                            block: Some(Vec::new()),
                            ..directive
                        });
                        continue;
                    }
                    heads.push(directive);
                    open.push(Vec::new());
                }
                Token::Close => {
                    if head.is_some() {
                        return Err(Error::at(line, "`;` is missing before `}`"));
                    }
                    let mut directive = heads
                        .pop()
                        .ok_or_else(|| Error::at(line, "`}` without `{`"))?;
                    directive.block = open.pop();
                    let block = open.last_mut().expect("one more than heads");
                    block.push(directive);
                }
            }
        }
        match (head, heads.pop()) {
            (Some(directive), _) => Err(Error::at(
                directive.line,
                &format!("`{}` does not end with `;`", directive.name),
            )),
            (None, Some(block)) => Err(Error::at(
                tokens.line(),
                &format!("`{}` of line {} is not closed", block.name, block.line),
            )),
            (None, None) => Ok(open.pop().expect("the file's own")),
        }
    }

    fn start(&mut self, name: String, file: &Rc<Path>, line: u32) -> Result<Directive, Error> {
        self.directives += 1;
        if self.directives > DIRECTIVES_MAX {
            return Err(Error::at(line, "too many directives"));
        }
        Ok(Directive {
            name,
            args: Vec::new(),
            block: None,
            file: Rc::clone(file),
            line,
        })
    }

    fn include(&mut self, directive: &Directive, depth: usize) -> Result<Vec<Directive>, Error> {
        if depth == INCLUDES_MAX {
            return Err(Error::at(
                directive.line,
                "files include each other too deep",
            ));
        }
        let is_pattern = directive.arg().contains(['*', '?', '[']);
        let mut places = Vec::new();
        for base in &self.bases {
            let wanted = base.join(directive.arg());
            places.push(match is_pattern {
                true => glob::glob(&wanted.to_string_lossy())
                    .map_err(|error| Error::at(directive.line, error.msg))?
                    .flatten()
                    .collect(),
                false => vec![wanted],
            });
        }
        let is_there = |files: &Vec<PathBuf>| files.iter().any(|path| path.exists());
        let found = places.iter().position(is_there).unwrap_or_default();
        let files: Vec<PathBuf> = places.swap_remove(found);
        let mut directives = Vec::new();
        for path in files {
            match std::fs::metadata(&path) {
                Ok(_) => directives.extend(self.file(&path, depth + 1)?),
                Err(cause) => {
                    // It stays, so that nobody takes what is left for the whole.
                    directives.push(directive.clone());
                    self.missing.push(Missing {
                        file: Rc::clone(&directive.file),
                        line: directive.line,
                        included: path,
                        cause,
                    });
                }
            }
        }
        Ok(directives)
    }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    match text.len() as u64 > FILE_BYTES_MAX {
        true => Err(std::io::ErrorKind::FileTooLarge.into()),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("it can be written");
        }
        dir
    }

    fn outline(directives: &[Directive]) -> String {
        let one = |directive: &Directive| match &directive.block {
            Some(block) => format!("{}{{{}}}", directive.written(), outline(block)),
            None => format!("{};", directive.written()),
        };
        directives.iter().map(one).collect()
    }

    #[test]
    fn includes_stand_where_they_are_named() {
        let dir = dir(&[
            (
                "nginx.conf",
                "http {\n include a-*.conf;\n include gone.conf;\n}\nx;",
            ),
            ("a-1.conf", "server { listen 80; }"),
            ("a-2.conf", "\nupstream u { server '::1'; }"),
        ]);
        let (tree, missing) = read(&dir.path().join("nginx.conf")).expect("valid");
        assert_eq!(
            outline(&tree),
            "http{server{listen 80;}upstream u{server ::1;}include gone.conf;}x;"
        );
        let http = tree[0].block.as_ref().expect("a block");
        assert_eq!((http[1].line, tree[1].line), (2, 5));
        assert!(http[1].file.ends_with("a-2.conf"));
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].line, 3);
        assert!(missing[0].included.ends_with("gone.conf"));
    }

    /// As `sites-enabled` and `snippets` are in Debian.
    #[test]
    fn a_part_includes_what_the_whole_would() {
        let dir = dir(&[("nginx.conf", ""), ("proxy_params", "a;")]);
        for (name, text) in [
            (
                "sites-enabled/own.conf",
                "include proxy_params;\ninclude snippets/*.conf;\ninclude beside;",
            ),
            ("sites-enabled/beside", "c;"),
            ("snippets/one.conf", "b;"),
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
            std::fs::write(path, text).expect("it can be written");
        }
        let (tree, missing) = read(&dir.path().join("sites-enabled/own.conf")).expect("valid");
        assert_eq!((outline(&tree).as_str(), missing.len()), ("a;b;c;", 0));
    }

    #[test]
    fn programs_in_lua_are_passed_over() {
        let lua = "a;\nx_by_lua_block {\n if t[\"}\"] then -- it's }\n say('\\'}', [[ } ' ]]) end\n\
                   --[[ }\n ]] local t = { a = {} }\n}\nb;\nset_by_lua_block $x { return 1 }\nc;";
        let dir = dir(&[("nginx.conf", lua)]);
        let (tree, _) = read(&dir.path().join("nginx.conf")).expect("valid");
        assert_eq!(
            outline(&tree),
            "a;x_by_lua_block{}b;set_by_lua_block $x{}c;"
        );
        assert_eq!(tree[2].line, 8);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, line, problem) in [
            ("a;\nb", 2, "`b` does not end with `;`"),
            ("a {\n b;\n", 3, "`a` of line 1 is not closed"),
            ("a {\n b }", 2, "`;` is missing before `}`"),
            ("}", 1, "`}` without `{`"),
            ("\n;", 2, "`;` without a directive"),
            ("{", 1, "`{` without a directive"),
            ("a_by_lua_block { '}", 1, "a program in Lua is not closed"),
            (
                "include nginx.conf;",
                1,
                "files include each other too deep",
            ),
        ] {
            let dir = dir(&[("nginx.conf", text)]);
            let error = read(&dir.path().join("nginx.conf")).expect_err(text);
            assert_eq!((error.line, &*error.problem), (line, problem), "{text}");
            assert!(error.file.ends_with("nginx.conf"));
        }
        let deep = "a{".repeat(DEPTH_MAX + 1);
        let dir = dir(&[("nginx.conf", &deep)]);
        assert!(read(&dir.path().join("nginx.conf")).is_err());
    }
}

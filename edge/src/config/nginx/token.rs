//! The words of an nginx configuration (<https://nginx.org/en/docs/beginners_guide.html#conf_structure>).
//!
//! Words are separated by white space; `;`, `{` and `}` stand alone unless quoted or escaped; `#`
//! begins a comment where a word could begin; `${name}` is part of its word.

use super::Error;

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or an argument, without its quotes.
    Word(String),
    /// `;`
    End,
    /// `{`
    Open,
    /// `}`
    Close,
}

/// Cuts a text into tokens, each with its line.
pub(super) struct Tokens<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: u32,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Tokens<'a> {
        Tokens {
            rest: text.chars().peekable(),
            line: 1,
        }
    }

    /// The line the last token ended on.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.rest.next();
        if c == Some('\n') {
            self.line += 1;
        }
        c
    }

    /// The next token and the line it begins on; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(Token, u32)>, Error> {
        loop {
            match self.rest.peek() {
                None => return Ok(None),
                Some(c) if c.is_whitespace() => {
                    self.bump();
                }
                Some('#') => while self.bump().is_some_and(|c| c != '\n') {},
                Some(_) => break,
            }
        }
        let line = self.line;
        let single = match self.rest.peek() {
            Some(';') => Some(Token::End),
            Some('{') => Some(Token::Open),
            Some('}') => Some(Token::Close),
            _ => None,
        };
        if let Some(token) = single {
            self.bump();
            return Ok(Some((token, line)));
        }
        let word = match self.rest.peek() {
            Some(&quote @ ('"' | '\'')) => {
                self.bump();
                self.quoted(quote, line)?
            }
            _ => self.bare(),
        };
        Ok(Some((Token::Word(word), line)))
    }

    /// Passes over a program in Lua, up to the brace that ends it: strings and comments in it may
    /// hold others.
    pub(super) fn skip_lua(&mut self) -> Result<(), Error> {
        let line = self.line;
        let mut depth = 1;
        while let Some(c) = self.bump() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                '"' | '\'' => self.skip_lua_string(c),
                '[' if self.rest.peek() == Some(&'[') => self.skip_lua_text(),
                '-' if self.rest.peek() == Some(&'-') => self.skip_lua_comment(),
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
        Err(Error::at(line, "a program in Lua is not closed"))
    }

    fn skip_lua_string(&mut self, quote: char) {
        while let Some(c) = self.bump().filter(|c| *c != quote) {
            if c == '\\' {
                self.bump();
            }
        }
    }

    /// What follows `[`, up to `]]`.
    fn skip_lua_text(&mut self) {
        let mut before = None;
        while let Some(c) = self.bump() {
            if (before, c) == (Some(']'), ']') {
                return;
            }
            before = Some(c);
        }
    }

    /// What follows `-`, up to the end of the line or of the text.
    fn skip_lua_comment(&mut self) {
        self.bump();
        if self.rest.next_if_eq(&'[').is_some() && self.rest.peek() == Some(&'[') {
            return self.skip_lua_text();
        }
        while self.bump().is_some_and(|c| c != '\n') {}
    }

    fn quoted(&mut self, quote: char, line: u32) -> Result<String, Error> {
        let mut word = String::new();
        loop {
            match self.bump() {
                None => return Err(Error::at(line, "a quote is not closed")),
                Some(c) if c == quote => return Ok(word),
                Some('\\') => self.escaped(&mut word),
                Some(c) => word.push(c),
            }
        }
    }

    fn bare(&mut self) -> String {
        let mut word = String::new();
        while let Some(&c) = self.rest.peek() {
            match c {
                ';' => break,
                '{' if !word.ends_with('$') => break,
                '{' => while self.bump().is_some_and(|c| push(&mut word, c) != '}') {},
                c if c.is_whitespace() => break,
                '\\' => {
                    self.bump();
                    self.escaped(&mut word);
                }
                c => {
                    self.bump();
                    word.push(c);
                }
            }
        }
        word
    }

    /// What follows a backslash. Those of regular expressions stay as they are.
    fn escaped(&mut self, word: &mut String) {
        match self.bump() {
            Some(c @ ('"' | '\'' | '\\' | ' ' | ';' | '{' | '}')) => word.push(c),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(c) => word.extend(['\\', c]),
            None => word.push('\\'),
        }
    }
}

fn push(word: &mut String, c: char) -> char {
    word.push(c);
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut tokens = Tokens::new(text);
        let mut words = Vec::new();
        while let Some((token, _)) = tokens.next().expect("valid") {
            words.push(match token {
                Token::Word(word) => word,
                Token::End => ";".into(),
                Token::Open => "{".into(),
                Token::Close => "}".into(),
            });
        }
        words
    }

    #[test]
    fn words_are_cut_as_nginx_cuts_them() {
        for (text, expected) in [
            ("listen 443 ssl;", &["listen", "443", "ssl", ";"][..]),
            ("a{b c;}", &["a", "{", "b", "c", ";", "}"]),
            ("x 'a b' \"c;d\";", &["x", "a b", "c;d", ";"]),
            ("x a\\ b \"it\\\"s\";", &["x", "a b", "it\"s", ";"]),
            ("x a#b; # c; d\ny;", &["x", "a#b", ";", "y", ";"]),
            ("x ${host}y $z;", &["x", "${host}y", "$z", ";"]),
            ("location ~ \\.php$ {", &["location", "~", "\\.php$", "{"]),
            ("x \"\";", &["x", "", ";"]),
            ("", &[]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn lines_are_counted() {
        let mut tokens = Tokens::new("a\n\n 'b\nc' d");
        let mut lines = Vec::new();
        while let Some((_, line)) = tokens.next().expect("valid") {
            lines.push(line);
        }
        assert_eq!(lines, [1, 3, 4]);
        let error = Tokens::new("\n'b").next().expect_err("not closed");
        assert_eq!(error, Error::at(2, "a quote is not closed"));
    }
}

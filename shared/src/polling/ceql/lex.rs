//! From text to tokens.

use super::{CeqlError, Operator, Part, placeholder};

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) position: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Neither quoted nor a sign: a keyword, field, number, date or placeholder.
    Word(Vec<Part>),
    /// In single quotes.
    Quoted(Vec<Part>),
    /// In backticks.
    Backticked(String),
    Operator(Operator),
    Open,
    Close,
    Comma,
    End,
}

/// What ends a word, beside a space.
const SIGNS: &str = "()=,!<>'`";

/// Reads all tokens; the last is `End`.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, CeqlError> {
    let mut lexer = Lexer {
        rest: text,
        position: 1,
    };
    let mut tokens = Vec::new();
    loop {
        lexer.take_while(char::is_whitespace);
        let position = lexer.position;
        let kind = lexer.kind()?;
        let is_end = kind == TokenKind::End;
        tokens.push(Token { kind, position });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    position: usize,
}

impl<'a> Lexer<'a> {
    fn kind(&mut self) -> Result<TokenKind, CeqlError> {
        let position = self.position;
        let Some(first) = self.rest.chars().next() else {
            return Ok(TokenKind::End);
        };
        if !SIGNS.contains(first) {
            return self.word();
        }
        self.take(first.len_utf8());
        Ok(match first {
            '(' => TokenKind::Open,
            ')' => TokenKind::Close,
            ',' => TokenKind::Comma,
            '\'' => return self.quoted(position),
            '`' => return self.backticked(position),
            sign => TokenKind::Operator(self.operator(sign, position)?),
        })
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.position += taken.chars().count();
        taken
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|character| !belongs(character));
        self.take(end.unwrap_or(self.rest.len()))
    }

    fn operator(&mut self, sign: char, position: usize) -> Result<Operator, CeqlError> {
        let with_equal = self.rest.starts_with('=') && sign != '=';
        self.take(usize::from(with_equal));
        match (sign, with_equal) {
            ('=', _) => Ok(Operator::Equal),
            ('!', true) => Ok(Operator::NotEqual),
            ('<', false) => Ok(Operator::Less),
            ('<', true) => Ok(Operator::LessOrEqual),
            ('>', false) => Ok(Operator::Greater),
            ('>', true) => Ok(Operator::GreaterOrEqual),
            _ => Err(CeqlError::Unexpected {
                expected: "`!=`",
                found: format!("`{sign}`"),
                position,
            }),
        }
    }

    fn backticked(&mut self, position: usize) -> Result<TokenKind, CeqlError> {
        let name = self.take_while(|character| character != '`');
        if self.rest.is_empty() {
            return Err(CeqlError::Open {
                opening: "backtick",
                position,
            });
        }
        self.take(1);
        Ok(TokenKind::Backticked(name.to_owned()))
    }

    fn word(&mut self) -> Result<TokenKind, CeqlError> {
        let mut parts = Parts::default();
        loop {
            if self.rest.starts_with("${") {
                parts.placeholder(self.placeholder()?);
            }
            let ends = |character: char| character.is_whitespace() || SIGNS.contains(character);
            match self.text_until(ends) {
                "" if !self.rest.starts_with("${") => return Ok(TokenKind::Word(parts.0)),
                text => parts.text(text),
            }
        }
    }

    fn quoted(&mut self, position: usize) -> Result<TokenKind, CeqlError> {
        let mut parts = Parts::default();
        loop {
            parts.text(self.text_until(|character| character == '\''));
            if self.rest.starts_with("''") {
                self.take(1);
                parts.text(self.take(1));
            } else if self.rest.starts_with('\'') {
                self.take(1);
                return Ok(TokenKind::Quoted(parts.0));
            } else if self.rest.is_empty() {
                return Err(CeqlError::Open {
                    opening: "single quote",
                    position,
                });
            } else {
                parts.placeholder(self.placeholder()?);
            }
        }
    }

    /// Up to a placeholder, the end, or what `ends` says.
    fn text_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest;
        let mut characters = rest.char_indices();
        let end = characters
            .find(|(index, character)| ends(*character) || rest[*index..].starts_with("${"));
        self.take(end.map_or(rest.len(), |(index, _)| index))
    }

    /// A placeholder is read as one, up to the brace that closes it: its pattern has quotes and spaces of its own.
    fn placeholder(&mut self) -> Result<String, CeqlError> {
        let (position, mut depth) = (self.position, 0_usize);
        let end = self.rest.find(|character| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => return false,
            }
            depth == 0
        });
        let end = end.ok_or(CeqlError::Open {
            opening: "placeholder",
            position,
        })?;
        let text = self.take(end + 1);
        placeholder::check(text, position)?;
        Ok(text.to_owned())
    }
}

/// The parts of a text, no two texts in a row and none empty.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn text(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Part::Text(text)) => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.0.push(Part::Text(more.to_owned())),
        }
    }

    fn placeholder(&mut self, placeholder: String) {
        self.0.push(Part::Placeholder(placeholder));
    }
}

//! The tokens of JSON, one by one, without recursion: a text may be deep, and need not even be sound.

/// A token that tells something. Commas, colons, `true`, `false` and `null` are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// Of an object or a list.
    Open,
    /// Of an object or a list.
    Close,
    /// A member's name, quotes and all.
    Key(&'a str),
    /// Any other string, quotes and all.
    Text(&'a str),
    /// A number, as it is written.
    Number(&'a str),
}

/// Reads the tokens of a text.
pub fn tokens(json: &str) -> impl Iterator<Item = Token<'_>> {
    Tokens { rest: json }
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let begins =
            |byte: u8| matches!(byte, b'{' | b'[' | b'}' | b']' | b'"') || is_first_of_number(byte);
        let start = self.rest.bytes().position(begins)?;
        self.take(start);
        Some(match self.rest.as_bytes().first()? {
            b'{' | b'[' => {
                self.take(1);
                Token::Open
            }
            b'}' | b']' => {
                self.take(1);
                Token::Close
            }
            b'"' => {
                let text = self.take(string_length(self.rest.as_bytes()));
                if self.rest.trim_ascii_start().starts_with(':') {
                    Token::Key(text)
                } else {
                    Token::Text(text)
                }
            }
            _ => {
                let length = self.rest.bytes().take_while(|byte| is_of_number(*byte));
                Token::Number(self.take(length.count()))
            }
        })
    }
}

impl<'a> Tokens<'a> {
    /// All that tells tokens apart is ASCII, so no character is cut.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

/// The length of the string that begins here, quotes included.
fn string_length(bytes: &[u8]) -> usize {
    let mut length = 1;
    while let Some(byte) = bytes.get(length) {
        length += match byte {
            b'"' => return length + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    bytes.len()
}

fn is_first_of_number(byte: u8) -> bool {
    byte == b'-' || byte.is_ascii_digit()
}

fn is_of_number(byte: u8) -> bool {
    is_first_of_number(byte) || matches!(byte, b'+' | b'.' | b'e' | b'E')
}

#[cfg(test)]
mod tests {
    use super::{Token, tokens};

    #[test]
    fn tells_keys_texts_and_numbers_apart() {
        let json = r#"{"a\"{" : [-1.5e+3,"b:", true, null], "c":{}, "é":"\\"}"#;
        let found: Vec<_> = tokens(json).collect();
        let expected = [
            Token::Open,
            Token::Key(r#""a\"{""#),
            Token::Open,
            Token::Number("-1.5e+3"),
            Token::Text(r#""b:""#),
            Token::Close,
            Token::Key(r#""c""#),
            Token::Open,
            Token::Close,
            Token::Key("\"é\""),
            Token::Text(r#""\\""#),
            Token::Close,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn comes_to_the_end_of_what_is_not_json() {
        for json in [
            "", "\"", "\"\\", "\"é\\", "é\"é", "-", "{\"a", "]]", "\"\\é\"",
        ] {
            assert!(tokens(json).count() <= 2, "{json}");
        }
    }
}

//! Where values and keys stand in JSON, sound or not.

use std::ops::Range;

/// A value, or a key with its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) range: Range<usize>,
    pub(crate) is_key: bool,
}

/// All of them, in the order in which they end. What is not closed is none.
pub(crate) fn spans(json: &[u8]) -> Vec<Span> {
    let (mut spans, mut open, mut position) = (Vec::new(), Vec::new(), 0);
    while let Some(byte) = json.get(position) {
        let start = position;
        position += 1;
        match byte {
            b'{' | b'[' => open.push(start),
            b'}' | b']' => spans.extend(open.pop().map(|start| Span {
                range: start..position,
                is_key: false,
            })),
            b'"' => {
                position = end_of_string(json, position);
                let behind = json[position..].trim_ascii_start();
                spans.push(Span {
                    range: start..position,
                    is_key: behind.starts_with(b":"),
                });
            }
            byte if is_bare(*byte) => {
                let rest = json[start..].iter();
                position = start + rest.take_while(|byte| is_bare(**byte)).count();
                spans.push(Span {
                    range: start..position,
                    is_key: false,
                });
            }
            _ => {}
        }
    }
    spans
}

fn end_of_string(json: &[u8], mut position: usize) -> usize {
    while let Some(byte) = json.get(position) {
        position += match byte {
            b'"' => return position + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    json.len()
}

/// Of a number, `true`, `false` or `null`.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

#[cfg(test)]
mod tests {
    use super::spans;

    #[test]
    fn finds_keys_and_values() {
        let json = r#"{"a\"": [1.5e3, true], "b":"x"}"#;
        let found: Vec<_> = spans(json.as_bytes())
            .into_iter()
            .map(|span| (&json[span.range], span.is_key))
            .collect();
        let expected = [
            (r#""a\"""#, true),
            ("1.5e3", false),
            ("true", false),
            ("[1.5e3, true]", false),
            (r#""b""#, true),
            (r#""x""#, false),
            (json, false),
        ];
        assert_eq!(found, expected);
        assert_eq!(spans(b"]}\"\\").len(), 1);
    }
}

//! What EventBridge takes as `Detail`.

use serde_json::value::RawValue;

/// Objects and lists may be nested about this deep.
const MAXIMUM_DEPTH: usize = 1000;

/// The text as JSON, its bytes unchanged, or what is wrong with it.
pub(crate) fn read(text: &str) -> Result<Box<RawValue>, &'static str> {
    let value: Box<RawValue> = serde_json::from_str(text).map_err(|_| "it is not JSON")?;
    if !value.get().starts_with('{') {
        return Err("it is not an object");
    }
    check_tokens(value.get())?;
    Ok(value)
}

/// Walks the tokens of a sound JSON text without recursion, for it may be deep.
fn check_tokens(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let (mut position, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(position) {
        position += match byte {
            b'"' => string_length(&bytes[position..]),
            b'-' | b'0'..=b'9' => number_length(&text[position..])?,
            _ => 1,
        };
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if MAXIMUM_DEPTH < depth {
            return Err("it is nested too deep");
        }
    }
    Ok(())
}

/// The length of the string that begins here, quotes included.
fn string_length(bytes: &[u8]) -> usize {
    let mut position = 1;
    while let Some(byte) = bytes.get(position) {
        match byte {
            b'"' => return position + 1,
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
    bytes.len()
}

/// The length of the number that begins here; an integer must fit 64 bits.
fn number_length(text: &str) -> Result<usize, &'static str> {
    let end = text.find(|character| !matches!(character, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'));
    let number = &text[..end.unwrap_or(text.len())];
    let integer = !number.contains(['.', 'e', 'E']);
    if integer && number.parse::<i64>().is_err() {
        return Err("an integer does not fit 64 bits");
    }
    Ok(number.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_eventbridge_takes_is_kept_to_the_byte() {
        for text in [
            r"{}",
            r#"{ "a" : 1.50, "b":[ ] }"#,
            r#"{"n":9223372036854775807,"m":-9223372036854775808}"#,
            r#"{"text":"99999999999999999999 \" { [ \\"}"#,
            r#"{"float":1e400,"long":0.123456789012345678901234567890}"#,
        ] {
            let read = read(text).map(|value| value.get().to_owned());
            assert_eq!(read, Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_eventbridge_refuses_is_refused() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(999)).is_ok());
        for text in [
            "",
            "[]",
            "\"text\"",
            "{\"a\":}",
            "{} {}",
            r#"{"n":9223372036854775808}"#,
            r#"{"n":[-9223372036854775809]}"#,
            &nested(1000),
        ] {
            assert!(read(text).is_err(), "{text:.40}");
        }
    }
}

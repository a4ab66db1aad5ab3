//! Percent-encoding, undone once, as API Gateway undoes it.

/// `text` decoded; what is no escape stays as it is. `None` if the bytes are not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        let escaped = (*byte == b'%')
            .then(|| bytes.get(position + 1..position + 3))
            .flatten();
        if let Some(value) = escaped.and_then(hex_byte) {
            decoded.push(value);
            position += 3;
        } else {
            decoded.push(*byte);
            position += 1;
        }
    }
    String::from_utf8(decoded).ok()
}

/// The same for a query string, where `+` is a space.
pub(crate) fn decode_query(text: &str) -> Option<String> {
    decode(&text.replace('+', " "))
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once() {
        for (text, expect) in [
            ("MjA5MzE%3D", Some("MjA5MzE=")),
            ("MjA5MzE%253D", Some("MjA5MzE%3D")),
            ("100%", Some("100%")),
            ("%zz%+1", Some("%zz%+1")),
            ("%C3%BC", Some("ü")),
            ("%FF", None),
        ] {
            assert_eq!(decode(text).as_deref(), expect, "{text}");
        }
        assert_eq!(decode_query("a+b%2B").as_deref(), Some("a b+"));
    }
}

//! The one door for JSON text from outside: requests, stored configuration, what Close answers, what the bus and the
//! queues deliver.
//!
//! `serde_json` is built with `raw_value` and `arbitrary_precision`, and gives two keys a meaning of their own in a tree:
//! `{"$serde_json::private::RawValue": "<JSON>"}` becomes the JSON in the text, read with a recursion limit that begins
//! anew. A few hundred of them, one in the other, overflow the stack and end the process. [`tree`] refuses such keys. [`raw`]
//! and [`read`] build no tree: they give keys no meaning and skip values without recursion.
//!
//! clippy's `disallowed-methods` keeps all other code from parsing. What AWS answers is read by its SDK, which has a parser of its own.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the door: what parses is here, behind its checks"
)]

use std::borrow::Cow;
use std::str::Utf8Error;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use self::tokens::{Token, tokens};

pub mod path;
mod surrogates;
pub mod tokens;

/// A tree is nested this deep at most: far deeper than anyone writes, and far from the end of a stack.
const MAX_TREE_DEPTH: usize = 100;

/// What `serde_json` keeps for itself. Source: `serde_json` 1.0, `raw.rs` and `number.rs`.
const PRIVATE_KEYS: [&str; 2] = [
    "$serde_json::private::RawValue",
    "$serde_json::private::Number",
];

/// What Notepad and PowerShell 5 put before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// UTF-16 has a zero byte beside each letter of ASCII, and JSON has none.
const LOOKED_AT_FOR_ZEROS: usize = 16;

/// The text is not JSON, or not JSON that is taken.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Another encoding, which some editors save in.
    #[error("the text is in UTF-16: save it as UTF-8")]
    Utf16,
    /// Another encoding, or damaged.
    #[error("{0}")]
    NotUtf8(Utf8Error),
    /// Not JSON.
    #[error("{0}")]
    Syntax(serde_json::Error),
    /// Objects and lists, one in the other.
    #[error("more than {MAX_TREE_DEPTH} levels of objects and lists, one in the other")]
    TooDeep,
    /// One of the private keys.
    #[error("a member `{0}`, whose name is not free")]
    PrivateKey(&'static str),
}

impl JsonError {
    /// The line of a fault of syntax, from 1.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Syntax(error) => Some(error.line()),
            _ => None,
        }
    }
}

/// The text of a body, without a byte order mark.
///
/// # Errors
/// Where it is not in UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, JsonError> {
    if is_utf_16(bytes) {
        return Err(JsonError::Utf16);
    }
    let text = std::str::from_utf8(bytes).map_err(JsonError::NotUtf8)?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))
}

/// Reads a whole tree.
///
/// # Errors
/// Where the text is not JSON, is nested too deep, or has a private key.
pub fn tree(text: &str) -> Result<Value, JsonError> {
    check(text)?;
    serde_json::from_str(text).map_err(JsonError::Syntax)
}

/// Keeps a text that is JSON, to the byte, at any depth and with any keys.
///
/// # Errors
/// Where the text is not JSON.
pub fn raw(text: &str) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::from_str(text)
}

/// Reads the members that a type names; others are skipped. Nothing in the type may be a [`Value`], flattened or untagged:
/// each of these would be a tree behind the door. What has any form is a [`RawValue`].
///
/// # Errors
/// Where the text is not JSON or does not fit the type.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

/// The text that a JSON string stands for, with U+FFFD for each half of a surrogate pair without its other half.
pub fn string(json: &str) -> Option<String> {
    serde_json::from_str(&surrogates::mended(json)).ok()
}

/// JSON that strict readers take: each half of a surrogate pair without its other half is U+FFFD.
pub fn mended(json: &RawValue) -> Cow<'_, RawValue> {
    match surrogates::mended(json.get()) {
        Cow::Borrowed(_) => Cow::Borrowed(json),
        Cow::Owned(text) => raw(&text).map_or(Cow::Borrowed(json), Cow::Owned),
    }
}

/// Whether a string of JSON has half of a surrogate pair without its other half: text that was cut within an emoji. Strict
/// readers refuse it.
pub fn has_lone_half(json: &str) -> bool {
    surrogates::lone_halves(json).next().is_some()
}

/// The private key that a key stands for, quotes and all, with or without escapes.
pub fn private_key(key: &str) -> Option<&'static str> {
    let may_be = key.starts_with("\"$") || key.contains('\\');
    let key = may_be.then(|| string(key))??;
    PRIVATE_KEYS.into_iter().find(|private| *private == key)
}

/// Walks without recursion, before anything is built.
fn check(text: &str) -> Result<(), JsonError> {
    let mut depth = 0_usize;
    for token in tokens(text) {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Key(key) => {
                if let Some(private) = private_key(key) {
                    return Err(JsonError::PrivateKey(private));
                }
            }
            Token::Text(_) | Token::Number(_) => {}
        }
        if MAX_TREE_DEPTH < depth {
            return Err(JsonError::TooDeep);
        }
    }
    Ok(())
}

fn is_utf_16(bytes: &[u8]) -> bool {
    let has_mark = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    has_mark
        || bytes
            .iter()
            .take(LOOKED_AT_FOR_ZEROS)
            .any(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{has_lone_half, mended, raw, read, string, text, tree};

    const RAW: &str = "$serde_json::private::RawValue";
    const NUMBER: &str = "$serde_json::private::Number";

    #[derive(serde::Deserialize)]
    struct Named {
        b: u8,
    }

    /// JSON within JSON, as the private key would unfold it.
    fn nested(key: &str, levels: usize) -> String {
        (0..levels).fold("1".to_owned(), |inner, _| {
            format!(r#"{{"{key}":{}}}"#, json!(inner))
        })
    }

    #[test]
    fn a_tree_has_no_private_key_however_it_is_written() {
        for key in [
            RAW.to_owned(),
            NUMBER.to_owned(),
            RAW.replace('$', "\\u0024"),
            NUMBER.replace("Number", "\\u004e\\u0075mber"),
            RAW.replace("::", "\\u003a:"),
        ] {
            for json in [
                format!(r#"{{"{key}":"1"}}"#),
                format!(r#"{{ "{key}" : "1" }}"#),
                format!(r#"{{"a":[{{"b":1,"{key}":"1"}}]}}"#),
            ] {
                let error = tree(&json).unwrap_err().to_string();
                assert!(
                    error.starts_with("a member `$serde_json"),
                    "{json}: {error}"
                );
            }
        }
        let values = format!(r#"{{"a":"{RAW}","$":"{NUMBER}","{RAW}x":[1.50]}}"#);
        assert_eq!(tree(&values).unwrap()["a"], RAW);
    }

    #[test]
    fn what_builds_no_tree_keeps_the_private_keys() {
        let json = nested(RAW, 12);
        assert_eq!(raw(&json).unwrap().get(), json);
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(raw(&deep).unwrap().get(), deep);
        let both = format!(r#"{{"a":{},"c":{deep},"b":7}}"#, nested(RAW, 12));
        assert_eq!(read::<Named>(&both).unwrap().b, 7);
    }

    #[test]
    fn a_tree_is_a_hundred_levels_deep_at_most() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(tree(&nested(100)).is_ok());
        insta::assert_snapshot!(tree(&nested(101)).unwrap_err(), @"more than 100 levels of objects and lists, one in the other");
        assert!(tree(&nested(1_000_000)).is_err());
        assert!(tree(&"[".repeat(1_000_000)).is_err());
        assert!(tree(&format!("[{}]", r#""[[","{","#.repeat(1_000) + "1")).is_ok());
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_another_encoding_named() {
        assert_eq!(text("\u{feff}{}".as_bytes()).unwrap(), "{}");
        assert_eq!(text("\u{feff}\u{feff}{}".as_bytes()).unwrap(), "\u{feff}{}");
        for json in ["\u{feff}{}", "{\u{feff}}"] {
            assert!(tree(json).is_err() && raw(json).is_err());
        }
        let utf_16 = |mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let units = format!("{mark}{{}}");
            units.encode_utf16().flat_map(bytes).collect()
        };
        for body in [
            utf_16("\u{feff}", u16::to_le_bytes),
            utf_16("\u{feff}", u16::to_be_bytes),
            utf_16("", u16::to_le_bytes),
            utf_16("", u16::to_be_bytes),
        ] {
            let error = text(&body).unwrap_err().to_string();
            assert_eq!(error, "the text is in UTF-16: save it as UTF-8");
        }
        insta::assert_snapshot!(text(b"{\"a\":\"\xff\"}").unwrap_err(), @"invalid utf-8 sequence of 1 bytes from index 6");
    }

    #[test]
    fn half_of_a_surrogate_pair_is_the_replacement_character() {
        for (json, found) in [
            (r#""cut \ud83d""#, "cut \u{fffd}"),
            (r#""\uDE00 cut""#, "\u{fffd} cut"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
        ] {
            assert!(has_lone_half(json), "{json}");
            assert_eq!(string(json).as_deref(), Some(found), "{json}");
            assert!(tree(json).is_err(), "{json}");
            assert_eq!(
                tree(mended(&raw(json).unwrap()).get()).unwrap(),
                found,
                "{json}"
            );
        }
        for json in [
            r#""\ud83d\ude00""#,
            r#""\\ud83d""#,
            r#""a\"\u00e9\\""#,
            "\"\u{1f600}\"",
        ] {
            assert!(!has_lone_half(json), "{json}");
            assert_eq!(mended(&raw(json).unwrap()).get(), json);
        }
    }
}

//! Reading single values out of JSON that must stay as it is.
//!
//! Nothing here builds a tree: values are skipped without recursion, so depth costs nothing and digits are never
//! rounded.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// Deeper than this is sent as text: EventBridge refuses about 1,000 levels, and the envelope and targets add theirs.
const MAX_DEPTH: usize = 500;

/// The value at a path, or nothing where it leads nowhere.
///
/// A path is written as people write it: `_info.lastUpdated`, `emails[0].email`. Close's own keys may have dots as well
/// (`custom.cf_…`), so a key is taken whole first, and then for as little of the path as leads on.
pub fn at<'a>(json: &'a RawValue, path: &str) -> Option<&'a RawValue> {
    if let Some((index, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) {
        return element(json, index.parse().ok()?, rest);
    }
    let members: HashMap<String, &RawValue> = serde_json::from_str(json.get()).ok()?;
    if let Some(value) = members.get(path) {
        return Some(value);
    }
    path.match_indices(['.', '[']).find_map(|(end, _)| {
        let (value, rest) = (members.get(&path[..end])?, &path[end..]);
        at(value, rest.strip_prefix('.').unwrap_or(rest))
    })
}

fn element<'a>(json: &'a RawValue, index: usize, rest: &str) -> Option<&'a RawValue> {
    let list: Vec<&RawValue> = serde_json::from_str(json.get()).ok()?;
    let element = list.get(index)?;
    if rest.is_empty() {
        return Some(element);
    }
    at(element, rest.strip_prefix('.').unwrap_or(rest))
}

/// The text of the string, or of the number, at a path.
pub fn text_at(json: &RawValue, path: &str) -> Option<String> {
    let value = at(json, path)?.get();
    match value.as_bytes().first()? {
        b'"' => serde_json::from_str(value).ok(),
        b'-' | b'0'..=b'9' => Some(value.to_owned()),
        _ => None,
    }
}

/// Whether EventBridge takes the JSON inside a `Detail`: integers within 64 bits and no great depth.
pub fn suits_event_bridge(json: &RawValue) -> bool {
    let mut rest = json.get().as_bytes();
    let mut depth = 0_usize;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => rest = after_string(tail),
            b'-' | b'0'..=b'9' => {
                let length = tail
                    .iter()
                    .take_while(|byte| is_number_byte(**byte))
                    .count();
                if !fits_64_bits(byte, &tail[..length]) {
                    return false;
                }
                rest = &tail[length..];
            }
            _ => {}
        }
        if MAX_DEPTH < depth {
            return false;
        }
    }
    true
}

fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some((&byte, tail)) = rest.split_first() {
        match byte {
            b'"' => return tail,
            b'\\' => rest = tail.get(1..).unwrap_or_default(),
            _ => rest = tail,
        }
    }
    rest
}

fn is_number_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

fn fits_64_bits(first: u8, rest: &[u8]) -> bool {
    let is_integer = !rest.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    // Up to 18 digits always fit; only longer ones are worth parsing.
    let is_short = rest.len() < 18;
    !is_integer || is_short || {
        let token = [&[first], rest].concat();
        std::str::from_utf8(&token).is_ok_and(|token| token.parse::<i64>().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{suits_event_bridge, text_at};

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn follows_a_dotted_path() {
        let json = raw(r#"{"a":{"b":"text","n":12345678901234567890},"l":[1]}"#);
        assert_eq!(text_at(&json, "a.b").as_deref(), Some("text"));
        assert_eq!(
            text_at(&json, "a.n").as_deref(),
            Some("12345678901234567890")
        );
        for path in ["a", "a.c", "l", "l.0", "a.b.c", ""] {
            assert_eq!(text_at(&json, path), None, "{path}");
        }
    }

    #[test]
    fn an_index_leads_into_a_list() {
        let json = raw(r#"{"emails":[{"email":"a@x"},{"email":"b@x"}],"grid":[[1,2],[3]]}"#);
        for (path, text) in [
            ("emails[0].email", Some("a@x")),
            ("emails[1].email", Some("b@x")),
            ("emails[2].email", None),
            ("emails[0]", None),
            ("emails[0].phone", None),
            ("emails[x].email", None),
            ("emails[", None),
            ("emails.email", None),
            ("grid[0][1]", Some("2")),
            ("grid[1][1]", None),
        ] {
            assert_eq!(text_at(&json, path).as_deref(), text, "{path}");
        }
        assert_eq!(text_at(&raw("[[7]]"), "[0][0]").as_deref(), Some("7"));
    }

    #[test]
    fn a_key_may_have_dots() {
        let json = raw(
            r#"{"custom":{"Lead Owner":"old"},"custom.cf_1":"flat","custom.cf_2":["x"],"a":{"b.c":{"d":5}}}"#,
        );
        for (path, text) in [
            ("custom.cf_1", Some("flat")),
            ("custom.Lead Owner", Some("old")),
            ("custom.cf_2[0]", Some("x")),
            ("custom.cf_3", None),
            ("a.b.c.d", Some("5")),
            ("a.b.c.e", None),
        ] {
            assert_eq!(text_at(&json, path).as_deref(), text, "{path}");
        }
    }

    #[test]
    fn event_bridge_takes_integers_of_64_bits() {
        for json in [
            "9223372036854775807",
            "-9223372036854775808",
            "1e400",
            "92233720368547758070.0",
            r#""99999999999999999999""#,
        ] {
            assert!(suits_event_bridge(&raw(json)), "{json}");
        }
        for json in [
            "9223372036854775808",
            "-9223372036854775809",
            r#"{"a\"":[1,99999999999999999999]}"#,
        ] {
            assert!(!suits_event_bridge(&raw(json)), "{json}");
        }
    }

    #[test]
    fn event_bridge_takes_500_levels() {
        let nested = |levels: usize| raw(&format!("{}1{}", "[".repeat(levels), "]".repeat(levels)));
        assert!(suits_event_bridge(&nested(500)));
        assert!(!suits_event_bridge(&nested(501)));
    }
}

//! Reading single values out of JSON that must stay as it is.
//!
//! Nothing here builds a tree: values are skipped without recursion, so depth costs nothing and digits are never
//! rounded.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::tokens::{Token, tokens};
use crate::json::{has_lone_half, private_key, read, string};

/// Deeper than this is sent as text: EventBridge refuses about 1,000 levels, and the envelope and targets add theirs.
const MAX_DEPTH: usize = 500;

/// What tells the place of something in a record is no longer, in characters. Each of its dots and brackets may be part of a
/// key, so that to follow it takes time by the square of its length.
const MAX_PATH: usize = 256;

/// The members of an object by their names, which are unescaped as [`string`] does.
struct Members<'a>(HashMap<String, &'a RawValue>);

/// The same in their order, by their names as they are written.
struct Ordered<'a>(Vec<(&'a str, &'a RawValue)>);

/// Whether a path is short enough to be followed in each record.
pub fn is_short(path: &str) -> bool {
    path.chars().count() <= MAX_PATH
}

/// The value at a path, or nothing where it leads nowhere.
///
/// A path is written as people write it: `_info.lastUpdated`, `emails[0].email`. Close's own keys may have dots as well
/// (`custom.cf_…`), so a key is taken whole first, and then for as little of the path as leads on.
pub fn at<'a>(json: &'a RawValue, path: &str) -> Option<&'a RawValue> {
    if let Some((index, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) {
        return element(json, index.parse().ok()?, rest);
    }
    let Members(members) = read(json.get()).ok()?;
    if let Some(value) = members.get(path) {
        return Some(value);
    }
    path.match_indices(['.', '[']).find_map(|(end, _)| {
        let (value, rest) = (members.get(&path[..end])?, &path[end..]);
        at(value, rest.strip_prefix('.').unwrap_or(rest))
    })
}

fn element<'a>(json: &'a RawValue, index: usize, rest: &str) -> Option<&'a RawValue> {
    let list: Vec<&RawValue> = read(json.get()).ok()?;
    let element = list.get(index)?;
    if rest.is_empty() {
        return Some(element);
    }
    at(element, rest.strip_prefix('.').unwrap_or(rest))
}

/// The member of that very name.
pub fn member<'a>(json: &'a RawValue, key: &str) -> Option<&'a RawValue> {
    let Members(members) = read(json.get()).ok()?;
    members.get(key).copied()
}

/// The names of all members, of what is an object.
pub fn keys(json: &RawValue) -> Vec<String> {
    let members = read(json.get()).map(|Members(members)| members.into_keys().collect());
    members.unwrap_or_default()
}

/// The members of an object in their order, their names as they are written, quotes and all.
pub fn members(json: &RawValue) -> Vec<(&str, &RawValue)> {
    let members = read(json.get()).map(|Ordered(members)| members);
    members.unwrap_or_default()
}

/// An object with further members behind its own, whose names are written with their quotes. What is no object stays as it
/// is.
pub fn extended<'a, K: AsRef<str>>(
    json: &RawValue,
    members: impl IntoIterator<Item = (K, &'a RawValue)>,
) -> Box<RawValue> {
    let Some(inner) = json.get().trim_end().strip_suffix('}') else {
        return json.to_owned();
    };
    let mut text = inner.trim_end().to_owned();
    for (key, value) in members {
        if !text.ends_with('{') {
            text.push(',');
        }
        for part in [key.as_ref(), ":", value.get()] {
            text.push_str(part);
        }
    }
    text.push('}');
    crate::json::raw(&text).unwrap_or_else(|_| json.to_owned())
}

/// The text of the string, or of the number, at a path.
pub fn text_at(json: &RawValue, path: &str) -> Option<String> {
    text(at(json, path)?)
}

/// The texts of several members, as [`text_at`] reads each, from one pass.
pub fn texts<const N: usize>(json: &RawValue, keys: [&str; N]) -> [Option<String>; N] {
    let members = read(json.get()).map(|Members(members)| members);
    let members = members.unwrap_or_default();
    keys.map(|key| text(members.get(key)?))
}

fn text(value: &RawValue) -> Option<String> {
    let value = value.get();
    match value.as_bytes().first()? {
        b'"' => string(value),
        b'-' | b'0'..=b'9' => Some(value.to_owned()),
        _ => None,
    }
}

/// Whether EventBridge takes the JSON inside a `Detail`, and no target stumbles over it: integers within 64 bits, no great
/// depth, no half of a surrogate pair, which strict readers refuse, and no key that makes a target written in Rust parse
/// texts within texts until its stack overflows.
pub fn suits_event_bridge(json: &RawValue) -> bool {
    let mut depth = 0_usize;
    tokens(json.get()).all(|token| match token {
        Token::Open => {
            depth += 1;
            depth <= MAX_DEPTH
        }
        Token::Close => {
            depth = depth.saturating_sub(1);
            true
        }
        Token::Key(key) => private_key(key).is_none() && !has_lone_half(key),
        Token::Text(text) => !has_lone_half(text),
        Token::Number(number) => fits_64_bits(number),
    })
}

fn fits_64_bits(number: &str) -> bool {
    let is_integer = !number.contains(['.', 'e', 'E']);
    // Up to 18 digits always fit; only longer ones are worth parsing.
    let is_short = number.len() <= 18;
    !is_integer || is_short || number.parse::<i64>().is_ok()
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Ordered(members) = Ordered::deserialize(deserializer)?;
        let members = members.into_iter();
        let members = members.filter_map(|(key, value)| Some((string(key)?, value)));
        Ok(Self(members.collect()))
    }
}

impl<'de> Deserialize<'de> for Ordered<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OrderedVisitor)
    }
}

struct OrderedVisitor;

impl<'de> Visitor<'de> for OrderedVisitor {
    type Value = Ordered<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, _>()? {
            members.push((key.get(), value));
        }
        Ok(Ordered(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{extended, members, suits_event_bridge, text_at, texts};

    fn raw(json: &str) -> Box<RawValue> {
        crate::json::raw(json).unwrap()
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
    fn texts_of_one_pass_are_those_of_each_key() {
        let keys = ["id", "date", "n", "é", ""];
        for (json, expected) in [
            (
                r#"{"id":"a","date":"b"}"#,
                [Some("a"), Some("b"), None, None, None],
            ),
            // Of two members of one name the last counts, also where the first is written with escapes.
            (
                r#"{"id":"a","id":"b"}"#,
                [Some("b"), None, None, None, None],
            ),
            (r#"{"id":"a","id":null}"#, [None; 5]),
            (
                r#"{"\u0069d":"a","id":"b"}"#,
                [Some("b"), None, None, None, None],
            ),
            (
                r#"{"id":"a","\u0069d":"b"}"#,
                [Some("b"), None, None, None, None],
            ),
            (
                r#"{"\u00e9":"\u00e9\n","":"x"}"#,
                [None, None, None, Some("é\n"), Some("x")],
            ),
            (
                r#"{"n":12345678901234567890,"id":-1.50e+2}"#,
                [
                    Some("-1.50e+2"),
                    None,
                    Some("12345678901234567890"),
                    None,
                    None,
                ],
            ),
            (r#"{"id":true,"date":{"id":"a"},"n":["b"]}"#, [None; 5]),
            (
                r#"{"id":"cut \ud83d"}"#,
                [Some("cut \u{fffd}"), None, None, None, None],
            ),
            (r#"["id"]"#, [None; 5]),
            (r#""id""#, [None; 5]),
            ("7", [None; 5]),
            ("null", [None; 5]),
        ] {
            let json = raw(json);
            let found = texts(&json, keys);
            assert_eq!(found, keys.map(|key| text_at(&json, key)), "{json}");
            assert_eq!(
                found,
                expected.map(|text| text.map(str::to_owned)),
                "{json}"
            );
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
    fn an_object_is_extended_to_the_byte() {
        for (json, expected) in [
            (r#"{"a" : 1.50 }"#, r#"{"a" : 1.50,"b\u00e9":[1],"c":2e0}"#),
            ("{ }\n", r#"{"b\u00e9":[1],"c":2e0}"#),
            ("[1]", "[1]"),
        ] {
            let more = raw(r#"{"b\u00e9":[1], "c" : 2e0}"#);
            let found = extended(&raw(json), members(&more));
            assert_eq!(found.get(), expected);
        }
        assert_eq!(extended(&raw("{}"), members(&raw("[1]"))).get(), "{}");
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
    fn half_of_a_surrogate_pair_goes_as_text_and_reads_as_the_replacement_character() {
        let json = raw(r#"{"name":"cut \ud83d","\udE00":{"a":"whole \ud83d\ude00"}}"#);
        assert!(!suits_event_bridge(&json));
        assert_eq!(text_at(&json, "name").as_deref(), Some("cut \u{fffd}"));
        let whole = text_at(&json, "\u{fffd}.a");
        assert_eq!(whole.as_deref(), Some("whole \u{1f600}"));
        assert!(!suits_event_bridge(&raw(r#"{"a\ud83d":1}"#)));
        assert!(suits_event_bridge(&raw(r#"{"a":"\ud83d\ude00"}"#)));
    }

    #[test]
    fn private_keys_of_serde_json_go_as_text_and_are_read_as_any_other() {
        for key in [
            "$serde_json::private::RawValue",
            r"\u0024serde_json::private::Number",
        ] {
            let json = raw(&format!(r#"{{"a":{{"{key}":"[1]"}}}}"#));
            assert!(!suits_event_bridge(&json), "{key}");
            let path = format!("a.{}", key.replace(r"\u0024", "$"));
            assert_eq!(text_at(&json, &path).as_deref(), Some("[1]"), "{key}");
            assert!(
                suits_event_bridge(&raw(&format!(r#"{{"a":"{key}"}}"#))),
                "{key}"
            );
        }
    }

    #[test]
    fn event_bridge_takes_500_levels() {
        let nested = |levels: usize| raw(&format!("{}1{}", "[".repeat(levels), "]".repeat(levels)));
        assert!(suits_event_bridge(&nested(500)));
        assert!(!suits_event_bridge(&nested(501)));
    }
}

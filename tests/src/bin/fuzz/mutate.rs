//! How inputs are spoiled.

use fastrand::Rng;
use serde_json::json;

use super::spans::{Span, spans};

/// What has been trouble for parsers, here or elsewhere. Whole values of JSON, and what stands well within a text.
const VALUES: [&str; 42] = [
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-0",
    "-1",
    "1e400",
    "-1e-400",
    "1E+2",
    "0.1000000000000000055511151231257827",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "123456789012345678901234567890",
    "[[]]",
    "[null]",
    "{\"\":\"\"}",
    "{\"a\":1,\"a\":2}",
    "\"cut \\ud83d\"",
    "\"\\ude00\\ud83d\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\"\\uffff\\ufeff\"",
    "\"\u{1f600}\u{301}\u{202e}\"",
    "\"2026-06-19T12:04:01.697000+00:00\"",
    "\"2026-06-19T12:04:60\"",
    "\"9999-12-31T23:59:59.999999999Z\"",
    "\"-009999-01-01T00:00:00Z\"",
    "\"1781870400\"",
    "\"1969-12-31T23:59:59Z\"",
    "\"Sun, 06 Nov 1994 08:49:37 GMT\"",
    "{\"$serde_json::private::RawValue\":\"[1]\"}",
    "{\"$serde_json::private::Number\":\"1\"}",
    "{\"\\u0024serde_json::private::RawValue\":\"{}\"}",
    "{\"$serde_json::private::Number\":\"x\"}",
    "{\"$serde_json::private::RawValue\":1}",
    "{\"a.b\":{\"c\":[1,{\"d\":2}]}}",
    "\"********\"",
    "\"https://user:password@[::1]:65536/\"",
];

/// What means something in one of the languages.
const WORDS: [&str; 46] = [
    "'",
    "\"",
    "`",
    "(",
    ")",
    ",",
    "=",
    "!=",
    "<=",
    ">",
    "%",
    "${",
    "}",
    "${gmtDate:",
    "'T'",
    "''",
    " AND ",
    " or ",
    " LIKE ",
    " IN ",
    " IS NOT NULL",
    "NULL",
    "yyyy",
    "SSSSSSSSS",
    "XXX",
    "zzz",
    "VV",
    "nnnnnnnnn",
    "|",
    "||",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "?",
    "&",
    "#",
    "/",
    "..",
    "[0]",
    "[99999999999999999999]",
    "\u{feff}",
    "\u{fffd}",
    "é",
    "\u{1f600}",
    "-1e9999",
];

/// How deep things are nested: round the limits, and far beyond.
const DEPTHS: [usize; 12] = [1, 2, 10, 63, 64, 99, 100, 101, 127, 128, 500, 1_001];
/// A text within a text within a text.
const TEXTS_WITHIN: usize = 120;
/// How often something is repeated.
const TIMES: [usize; 6] = [2, 3, 10, 100, 1_000, 20_000];
/// No input is longer, in bytes: more than a body of the instance API may have, which is the smallest limit that is ours.
const MAX_INPUT: usize = 300_000;
/// Few inputs grow far, for these take long.
const USUAL_INPUT: usize = 8_000;
const GROWS_FAR: f64 = 0.01;

/// A good input, spoiled in one way or in several; now and then as it is.
pub(crate) fn mutate(seeds: &[String], rng: &mut Rng) -> Vec<u8> {
    let mut input = seeds[rng.usize(..seeds.len())].clone().into_bytes();
    let most = if rng.f64() < GROWS_FAR {
        MAX_INPUT
    } else {
        USUAL_INPUT
    };
    for _ in 0..rng.usize(..8).min(rng.usize(..8)) {
        let mut spoiled = input.clone();
        spoil(&mut spoiled, seeds, rng);
        if spoiled.len() <= most {
            input = spoiled;
        }
    }
    input
}

fn spoil(input: &mut Vec<u8>, seeds: &[String], rng: &mut Rng) {
    let spans = spans(input);
    if !spans.is_empty() && rng.u8(..3) != 0 {
        spoil_json(input, &spans[rng.usize(..spans.len())], seeds, rng);
    } else {
        spoil_bytes(input, seeds, rng);
    }
}

fn spoil_json(input: &mut Vec<u8>, span: &Span, seeds: &[String], rng: &mut Rng) {
    let value = input[span.range.clone()].to_vec();
    let by = match rng.u8(..8) {
        0 => Vec::new(),
        1 => [&value[..], b",", &value].concat(),
        2 if !span.is_key => nested(value, rng),
        3 => escaped(&value, rng),
        4 => as_text(&value),
        5 if span.is_key => [b"\"", pick(&WORDS, rng).as_bytes(), b"\""].concat(),
        6 => other_value(seeds, rng),
        _ => pick(&VALUES, rng).as_bytes().to_vec(),
    };
    input.splice(span.range.clone(), by);
}

/// In lists, in objects, or in texts that a parser could take for JSON.
fn nested(value: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    let depth = *pick(&DEPTHS, rng);
    let around = |open: &str, close: &str| {
        [
            open.repeat(depth).as_bytes(),
            &value,
            close.repeat(depth).as_bytes(),
        ]
        .concat()
    };
    match rng.u8(..4) {
        0 => around("[", "]"),
        1 => around("{\"a\":", "}"),
        2 => around("[{\"event\":", "}]"),
        _ => {
            let Ok(mut text) = String::from_utf8(value) else {
                return Vec::new();
            };
            let depth = depth.min(95);
            for _ in 0..rng.usize(1..=TEXTS_WITHIN) {
                let (open, close) = ("[".repeat(depth), "]".repeat(depth));
                // A backslash as its code does not double from text to text.
                let inner = text.replace('\\', r"\u005c").replace('"', r"\u0022");
                text = format!(r#"{open}{{"$serde_json::private::RawValue":"{inner}"}}{close}"#);
            }
            text.into_bytes()
        }
    }
}

/// A character as its escape, which JSON takes for the same.
fn escaped(value: &[u8], rng: &mut Rng) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    let count = text.chars().count();
    let chosen = rng.usize(..count.max(1));
    let mut escaped = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == chosen && !"\"\\".contains(character) {
            let units = character.encode_utf16(&mut [0; 2]).to_vec();
            escaped.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            escaped.push(character);
        }
    }
    escaped.into_bytes()
}

/// JSON as a text.
fn as_text(value: &[u8]) -> Vec<u8> {
    json!(String::from_utf8_lossy(value))
        .to_string()
        .into_bytes()
}

fn other_value(seeds: &[String], rng: &mut Rng) -> Vec<u8> {
    let other = seeds[rng.usize(..seeds.len())].as_bytes();
    let spans = spans(other);
    match spans.get(rng.usize(..spans.len().max(1))) {
        Some(span) => other[span.range.clone()].to_vec(),
        None => other.to_vec(),
    }
}

fn spoil_bytes(input: &mut Vec<u8>, seeds: &[String], rng: &mut Rng) {
    let start = rng.usize(..=input.len());
    let end = (start + rng.usize(..=16)).min(input.len());
    match rng.u8(..9) {
        0 => input.truncate(start),
        1 => drop(input.drain(start..end)),
        2 => insert(input, start, &[rng.u8(..)]),
        3 => {
            if let Some(byte) = input.get_mut(start) {
                *byte ^= 1 << rng.u8(..8);
            }
        }
        4 => {
            let part = input[start..end].repeat(*pick(&TIMES, rng));
            insert(input, start, &part);
        }
        5 => {
            let part = pick(&WORDS, rng).repeat(*pick(&TIMES, rng));
            insert(input, start, part.as_bytes());
        }
        6 => {
            let other = seeds[rng.usize(..seeds.len())].as_bytes();
            input.truncate(start);
            input.extend_from_slice(&other[rng.usize(..=other.len())..]);
        }
        7 => insert(
            input,
            0,
            pick(&["\u{feff}", "\0", " ", "[", "{\"a\":"], rng).as_bytes(),
        ),
        _ => insert(input, start, pick(&WORDS, rng).as_bytes()),
    }
}

fn insert(input: &mut Vec<u8>, position: usize, part: &[u8]) {
    input.splice(position..position, part.iter().copied());
}

fn pick<'a, T>(all: &'a [T], rng: &mut Rng) -> &'a T {
    &all[rng.usize(..all.len())]
}

//! Whether two values are of one shape: the same keys, the same kinds of values, texts of the same form.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde_json::Value;

/// Members whose keys are data.
const MAPS: [&str; 2] = ["count_by_value_period", "counters"];

/// Fails unless a value has the shape of the recorded one, but for keys that have come (`+key`) or gone (`-key`) since.
#[track_caller]
pub(crate) fn check(simulated: &Value, recorded: &str, since: &[&str]) {
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let mut differences = Vec::new();
    compare(simulated, &recorded, "", &mut differences);
    differences.sort();
    differences.dedup();
    let mut since: Vec<_> = since.iter().map(|key| (*key).to_owned()).collect();
    since.sort();
    assert_eq!(differences, since, "{simulated:#}");
}

fn compare(simulated: &Value, recorded: &Value, at: &str, differences: &mut Vec<String>) {
    match (simulated, recorded) {
        // What may be null says nothing of what it is otherwise.
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(_), Value::Object(_)) if MAPS.contains(&at) => {}
        (Value::Object(simulated), Value::Object(recorded)) => {
            let added = simulated.keys().filter(|key| !recorded.contains_key(*key));
            differences.extend(added.map(|key| format!("+{key}")));
            let missing = recorded.keys().filter(|key| !simulated.contains_key(*key));
            differences.extend(missing.map(|key| format!("-{key}")));
            for (key, value) in simulated {
                let recorded = recorded.get(key).unwrap_or(&Value::Null);
                compare(value, recorded, key, differences);
            }
        }
        (Value::Array(simulated), Value::Array(recorded)) => {
            if let (Some(simulated), Some(recorded)) = (simulated.first(), recorded.first()) {
                compare(simulated, recorded, at, differences);
            }
        }
        _ if form(simulated) == form(recorded) => {}
        _ => differences.push(format!("{at}: {simulated} is no {}", form(recorded))),
    }
}

/// What a value is, as far as a client can rely on it.
fn form(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text,
        Value::Null => return "null".to_owned(),
        Value::Bool(_) => return "truth".to_owned(),
        Value::Number(_) => return "number".to_owned(),
        Value::Array(_) => return "list".to_owned(),
        Value::Object(_) => return "object".to_owned(),
    };
    if text.parse::<Date>().is_ok() && text.len() == "2026-06-19".len() {
        "date".to_owned()
    } else if text.parse::<Timestamp>().is_ok() {
        "time with a zone".to_owned()
    } else if text.parse::<DateTime>().is_ok() {
        "time without a zone".to_owned()
    } else {
        id_prefix(text).unwrap_or("text").to_owned()
    }
}

/// What an identifier begins with.
fn id_prefix(text: &str) -> Option<&str> {
    let (prefix, rest) = text.split_once('_')?;
    let is_random = 20 <= rest.len() && rest.chars().all(char::is_alphanumeric);
    (is_random && prefix.chars().all(char::is_lowercase)).then_some(prefix)
}

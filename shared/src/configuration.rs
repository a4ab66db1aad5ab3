//! The `configuration` of an instance as its owner wrote it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What stands in an answer where a secret is.
pub const MASK: &str = "********";

/// Keys whose values are secrets or carry one. A callback URL may hold credentials, but it is the owner's to choose.
const SECRET_KEYS: [&str; 6] = [
    "username",
    "password",
    "event.webhook.signature.key",
    "event.notification.signature.key",
    "event.notification.basic.password",
    "event.notification.callback.headers",
];

/// Keys and values of an instance's configuration. All values are text, as in the answers of the instance API; an object
/// (`event.poller.configuration`) is kept as its JSON. Debug prints keys only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Configuration(BTreeMap<String, String>);

impl Configuration {
    /// Takes the members of a JSON object. Booleans and numbers become their text; `null` is as good as absent.
    pub fn from_json(members: serde_json::Map<String, Value>) -> Self {
        Self(
            members
                .into_iter()
                .filter_map(|(key, value)| Some((key, to_text(value)?)))
                .collect(),
        )
    }

    /// The value of a key; an empty one counts as absent.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Sets a key that has no value yet.
    pub fn set_default(&mut self, key: &str, value: &str) {
        if self.get(key).is_none() {
            self.0.insert(key.to_owned(), value.to_owned());
        }
    }

    /// The configuration as answers show it, with [`MASK`] in place of each secret.
    pub fn masked(&self) -> BTreeMap<&str, &str> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), masked(key, value)))
            .collect()
    }
}

fn to_text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn masked<'a>(key: &str, value: &'a str) -> &'a str {
    if SECRET_KEYS.contains(&key) && !value.is_empty() {
        MASK
    } else {
        value
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Configuration;

    fn configuration(value: Value) -> Configuration {
        let Value::Object(members) = value else {
            panic!("an object")
        };
        Configuration::from_json(members)
    }

    #[test]
    fn keeps_every_value_as_text() {
        let configuration = configuration(
            json!({"a": true, "b": 15, "c": "x", "d": null, "e": {"z": 1, "y": [2]}, "f": ""}),
        );
        let values = ["a", "b", "c", "d", "e", "f"].map(|key| configuration.get(key));
        assert_eq!(
            values,
            [
                Some("true"),
                Some("15"),
                Some("x"),
                None,
                Some(r#"{"z":1,"y":[2]}"#),
                None
            ]
        );
    }

    #[test]
    fn shows_no_secret() {
        let configuration = configuration(json!({
            "username": "api_key", "password": "", "event.webhook.signature.key": "ab12",
            "event.notification.signature.key": "k", "event.notification.basic.password": "p",
            "event.notification.callback.headers": "h", "base.url": "https://api.close.com/api/v1",
        }));
        let masked = serde_json::to_value(configuration.masked()).unwrap();
        let expected = json!({
            "username": "********", "password": "", "event.webhook.signature.key": "********",
            "event.notification.signature.key": "********", "event.notification.basic.password": "********",
            "event.notification.callback.headers": "********", "base.url": "https://api.close.com/api/v1",
        });
        assert_eq!(masked, expected);
        assert!(!format!("{configuration:?}").contains("api_key"));
    }
}

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
    /// The value of a key; an empty one counts as absent.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The bytes of all keys and values.
    pub fn size(&self) -> usize {
        self.0
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum()
    }

    /// Sets a key that has no value yet, or an empty one.
    pub fn set_default(&mut self, key: &str, value: &str) {
        if self.get(key).is_none() {
            self.set(key, value);
        }
    }

    /// Sets a key.
    pub fn set(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_owned(), value.to_owned());
    }

    /// Changes what the members of a JSON object name. Booleans and numbers become their text; `null` removes a key.
    pub fn merge(&mut self, members: serde_json::Map<String, Value>) {
        for (key, value) in members {
            match to_text(value) {
                Some(text) => self.0.insert(key, text),
                None => self.0.remove(&key),
            };
        }
    }

    /// Puts the values of `old` where only [`MASK`] came back of them: who reads an instance and sends it back means the
    /// secrets that were not shown.
    pub fn unmask(&mut self, old: &Self) {
        for key in SECRET_KEYS {
            if let (Some(MASK), Some(value)) = (self.get(key), old.get(key)) {
                let value = value.to_owned();
                self.set(key, &value);
            }
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
        let mut configuration = Configuration::default();
        configuration.merge(members);
        configuration
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
    fn a_masked_secret_that_comes_back_is_the_old_one() {
        let old = configuration(json!({"username": "api_key", "password": "p"}));
        let mut new = configuration(
            json!({"username": "********", "password": "new", "base.url": "********"}),
        );
        new.unmask(&old);
        assert_eq!(
            new,
            configuration(
                json!({"username": "api_key", "password": "new", "base.url": "********"})
            )
        );
    }

    #[test]
    fn a_merge_changes_what_it_names() {
        let mut whole = configuration(json!({"a": "1", "b": "2", "c": "3"}));
        let Value::Object(members) = json!({"a": 9, "b": null}) else {
            panic!("an object")
        };
        whole.merge(members);
        assert_eq!(whole, configuration(json!({"a": "9", "c": "3"})));
    }

    #[test]
    fn a_default_is_for_what_has_no_value_or_an_empty_one() {
        let mut given = configuration(json!({"a": "1", "b": ""}));
        for key in ["a", "b", "c"] {
            given.set_default(key, "22");
        }
        assert_eq!(
            given,
            configuration(json!({"a": "1", "b": "22", "c": "22"}))
        );
        assert_eq!(given.size(), 1 + 1 + 3 + 3);
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

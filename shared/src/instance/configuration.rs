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

/// The other keys that mean something.
const USED_KEYS: [&str; 16] = [
    "base.url",
    "event.notification.enabled",
    "event.notification.type",
    "event.notification.callback.url",
    "event.notification.basic.username",
    "event.vendor.type",
    "event.webhook.subscribe",
    "event.webhook.reconcile",
    "event.webhook.reconcile.interval",
    "event.webhook.settle",
    "event.webhook.extra_filter",
    "event.objects",
    "event.poller.refresh_interval",
    "event.poller.start",
    "event.poller.configuration",
    "event.poller.urls",
];

/// Keys of the service that this one follows. Many instances have them, and here they mean nothing, or one value alone.
const KEPT_KEYS: [&str; 17] = [
    "event.raw.enabled",
    "event.metadata",
    "event.helper.key",
    "event.notification.instance.finder",
    "event.notification.subscription.id",
    "filter.response.nulls",
    "pagination.max",
    "pagination.offset",
    "pagination.type",
    "pagination.page.startindex",
    "bulk.add_metadata",
    "bulk.attribute.created_time",
    "bulk.query.date_mask",
    "bulk.query.download_format",
    "bulk.query.field_name",
    "bulk.query.operator",
    "bulk.relations",
];

/// Bytes that DynamoDB adds for each pair of a map. Source: docs.aws.amazon.com, "DynamoDB item sizes and formats".
const PAIR: usize = 1;

/// The keys that mean something.
pub fn used_keys() -> impl Iterator<Item = &'static str> {
    USED_KEYS.into_iter().chain(SECRET_KEYS)
}

/// Every key that is known.
pub fn known_keys() -> impl Iterator<Item = &'static str> {
    used_keys().chain(KEPT_KEYS)
}

/// Whether answers show the value of a key. One that nobody knows may be a misspelt secret.
fn is_shown(key: &str) -> bool {
    USED_KEYS.contains(&key) || KEPT_KEYS.contains(&key)
}

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

    /// The bytes of all keys and values, each with what DynamoDB adds for a pair.
    pub fn size(&self) -> usize {
        self.0
            .iter()
            .map(|(key, value)| key.len() + value.len() + PAIR)
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
        for (key, value) in &mut self.0 {
            if value == MASK
                && !is_shown(key)
                && let Some(old) = old.get(key)
            {
                old.clone_into(value);
            }
        }
    }

    /// The configuration as answers show it, with [`MASK`] in place of each secret and of what nobody knows.
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
    if !is_shown(key) && !value.is_empty() {
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

    use super::{Configuration, known_keys};

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
        let old = configuration(
            json!({"username": "api_key", "password": "p", "pasword": "q", "base.url": "b"}),
        );
        let mut new = configuration(
            json!({"username": "********", "password": "new", "pasword": "********", "base.url": "********"}),
        );
        new.unmask(&old);
        assert_eq!(
            new,
            configuration(
                json!({"username": "api_key", "password": "new", "pasword": "q", "base.url": "********"})
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
        assert_eq!(given.size(), (1 + 1 + 3 + 3) + 3);
    }

    /// The keys in the first column of the tables about an instance, and those in the list below.
    #[test]
    fn every_documented_key_is_known() {
        let document = include_str!("../../../docs/configuration.md");
        let (_, document) = document.split_once("## An instance").unwrap();
        let (document, _) = document.split_once("### `event.objects`").unwrap();
        let (table, list) = document.split_once("Kept and shown but not used").unwrap();
        let cells = table.lines().filter_map(|line| line.strip_prefix("| "));
        let cells = cells.filter_map(|line| line.split(" | ").next());
        let (list, _) = list.split_once("Secret means").unwrap();
        let documented: Vec<_> = cells
            .chain([list])
            .flat_map(|text| text.split('`').skip(1).step_by(2))
            .filter(|text| {
                text.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte))
            })
            .filter(|text| !["raw", "true"].contains(text))
            .collect();
        for key in &documented {
            assert!(known_keys().any(|known| known == *key), "{key}");
        }
        for key in known_keys() {
            assert!(documented.contains(&key), "{key} is not documented");
        }
    }

    #[test]
    fn shows_no_secret() {
        let configuration = configuration(json!({
            "username": "api_key", "password": "", "event.webhook.signature.key": "ab12",
            "event.notification.signature.key": "k", "event.notification.basic.password": "p",
            "event.notification.callback.headers": "h", "base.url": "https://api.close.com/api/v1",
            "event.notification.signature.keyy": "k", "pasword": "p", "x": "",
        }));
        let masked = serde_json::to_value(configuration.masked()).unwrap();
        let expected = json!({
            "username": "********", "password": "", "event.webhook.signature.key": "********",
            "event.notification.signature.key": "********", "event.notification.basic.password": "********",
            "event.notification.callback.headers": "********", "base.url": "https://api.close.com/api/v1",
            "event.notification.signature.keyy": "********", "pasword": "********", "x": "",
        });
        assert_eq!(masked, expected);
        assert!(!format!("{configuration:?}").contains("api_key"));
    }
}

//! The secrets of a callback belong to the origin they were given for.

use serde_json::{Map, Value};
use shared::instance::callback_origin;
use shared::instance::configuration::{Configuration, MASK};
use shared::instance::settings::field;
use shared::polling::field_error::FieldError;
use url::Origin;

/// The secrets that a receiver sees, or that prove a notification to it. Answers mask each.
const SECRETS: [&str; 3] = [
    field::CALLBACK_HEADERS,
    field::BASIC_PASSWORD,
    field::NOTIFICATION_KEY,
];

/// Refuses a change that sends stored secrets to another origin. `given` is the request's configuration, `new` the
/// configuration that results. A secret is given anew by its own text, not by [`MASK`] nor by silence.
pub fn refuse_another_origin(
    old: &Configuration,
    given: &Map<String, Value>,
    new: &Configuration,
) -> Vec<FieldError> {
    let Some(origin) = callback_origin::other(old, new) else {
        return Vec::new();
    };
    let kept = SECRETS.into_iter().filter(|key| {
        old.get(key).is_some() && new.get(key).is_some() && !is_given(given.get(*key))
    });
    kept.map(|key| refusal(key, &origin)).collect()
}

fn is_given(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.as_str() != Some(MASK))
}

fn refusal(key: &str, origin: &Origin) -> FieldError {
    let field = format!("configuration.{key}");
    let origin = origin.ascii_serialization();
    let message = format!(
        "was given for another origin than {origin}: give the value anew, or remove the key"
    );
    FieldError::new(&field, message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};
    use shared::instance::configuration::Configuration;

    use super::refuse_another_origin;

    const URL: &str = "event.notification.callback.url";
    const HEADERS: &str = "event.notification.callback.headers";
    const PASSWORD: &str = "event.notification.basic.password";
    const KEY: &str = "event.notification.signature.key";
    const OWN: &str = "https://app.example.com/hook";
    const ALL: [&str; 3] = [
        "configuration.event.notification.callback.headers",
        "configuration.event.notification.basic.password",
        "configuration.event.notification.signature.key",
    ];

    fn members(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(members) => members,
            other => panic!("an object, not {other}"),
        }
    }

    fn stored(url: Option<&str>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.merge(members(json!({
            URL: url, HEADERS: r#"{"x-key":"1"}"#, PASSWORD: "p", KEY: "k",
        })));
        configuration
    }

    /// The secrets of which a PATCH with these members is told.
    fn refused(url: Option<&str>, given: Value) -> Vec<String> {
        let (old, given) = (stored(url), members(given));
        let mut new = old.clone();
        new.merge(given.clone());
        new.unmask(&old);
        let errors = refuse_another_origin(&old, &given, &new).into_iter();
        errors.map(|error| error.field).collect()
    }

    #[test]
    fn another_scheme_host_or_port_is_another_origin() {
        for url in [
            "https://evil.example/hook",
            "http://app.example.com/hook",
            "https://app.example.com:8443/hook",
            "https://app.example.com.evil.example/hook",
            "https://app.example.com@evil.example/hook",
        ] {
            assert_eq!(refused(Some(OWN), json!({URL: url})), ALL, "{url}");
        }
        for url in [
            "https://app.example.com/other?a=b",
            "https://APP.example.com:443",
            "https://user:password@app.example.com/hook",
        ] {
            assert_eq!(refused(Some(OWN), json!({URL: url})).len(), 0, "{url}");
        }
    }

    #[test]
    fn a_secret_is_given_by_its_text_and_removed_by_null_or_an_empty_text() {
        let url = "https://new.example.com/";
        let given = json!({URL: url, HEADERS: {"x-key": "1"}, PASSWORD: "p", KEY: "other"});
        assert_eq!(refused(Some(OWN), given), Vec::<String>::new());
        let removed = json!({URL: url, HEADERS: null, PASSWORD: "", KEY: null});
        assert_eq!(refused(Some(OWN), removed), Vec::<String>::new());
        let masked = json!({URL: url, HEADERS: "********", PASSWORD: "********", KEY: "new"});
        assert_eq!(refused(Some(OWN), masked), ALL[..2]);
    }

    #[test]
    fn a_url_that_was_taken_away_before_is_another_origin() {
        assert_eq!(refused(Some(OWN), json!({URL: null})), Vec::<String>::new());
        assert_eq!(refused(None, json!({URL: OWN})), ALL);
        assert_eq!(refused(None, json!({"other": 1})), Vec::<String>::new());
    }
}

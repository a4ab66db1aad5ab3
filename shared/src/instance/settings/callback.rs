//! Where an instance's notifications go, and how they are made known as ours.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::instance::configuration::Configuration;
use crate::instance::policy::Policy;
use crate::instance::settings::address;
use crate::instance::settings::field;
use crate::json;
use crate::polling::field_error::FieldError;

/// What a key begins with that is the base64 of its bytes, as Standard Webhooks writes it.
pub const KEY_PREFIX: &str = "whsec_";
/// Far more than a key needs.
const MAX_KEY: usize = 1024;
/// A receiver takes some 8 KB of headers in all, and some are ours.
const MAX_HEADERS: usize = 4096;
/// Headers that are ours to set, or that are about the connection and not the message.
const OUR_HEADERS: [&str; 20] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "elements-webhook-id",
    "elements-webhook-signature",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// Where notifications go. Debug prints nothing of it: all of it may be secret.
#[derive(Clone)]
pub struct Callback {
    /// Its URL.
    pub url: Url,
    /// The owner's own headers, with the one of Basic authentication.
    pub headers: HeaderMap,
    /// What notifications are signed with, as its owner wrote it.
    pub signature_key: Option<SecretString>,
}

/// The key of Standard Webhooks that signs an instance's notifications, with [`KEY_PREFIX`] where it is the base64 of its bytes:
/// the configured one, or else the SHA-256 of the Element token. None, for an instance that has neither.
pub fn signature_key(configuration: &Configuration, token_hash: &str) -> Option<SecretString> {
    if let Some(key) = configuration.get(field::NOTIFICATION_KEY) {
        return Some(key.into());
    }
    let hash = hex::decode(token_hash).ok()?;
    Some(format!("{KEY_PREFIX}{}", STANDARD.encode(hash)).into())
}

/// Reads what belongs to a callback, and notes what is wrong with it.
pub(super) struct CallbackReader<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) policy: &'a Policy,
    pub(super) errors: &'a mut Vec<FieldError>,
}

impl<'a> CallbackReader<'a> {
    /// The callback of an instance whose events are wanted, and not by rules alone: it has a URL, and
    /// `event.notification.type` is not `eventbridge`.
    pub(super) fn callback(&mut self, events_enabled: bool) -> Option<Callback> {
        let is_wanted = self.is_wanted(events_enabled);
        let url = self.url();
        let headers = self.headers(url.as_ref());
        let signature_key = self.signature_key();
        url.filter(|_| is_wanted).map(|url| Callback {
            url,
            headers,
            signature_key,
        })
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.configuration.get(key)
    }

    fn fail(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, message));
    }

    fn is_wanted(&mut self, events_enabled: bool) -> bool {
        let notification_type = self.get(field::NOTIFICATION_TYPE);
        let is_by_callback = notification_type.is_none_or(|text| text == "webhook");
        match (notification_type, self.get(field::CALLBACK_URL)) {
            (_, Some(_)) if is_by_callback && events_enabled && !self.policy.callbacks_enabled => {
                self.fail(field::CALLBACK_URL, "this stack delivers no callbacks: deploy it with EnableCallbacks=true, or set event.notification.type to eventbridge and subscribe with a rule");
            }
            (Some("webhook"), None) if events_enabled => {
                self.errors.push(FieldError::required(
                    field::CALLBACK_URL,
                    "event.notification.type webhook asks for it; without that type events are on the bus alone",
                ));
            }
            (None | Some("webhook" | "eventbridge"), _) => {}
            _ => self.fail(field::NOTIFICATION_TYPE, "expected webhook or eventbridge"),
        }
        events_enabled && is_by_callback
    }

    fn url(&mut self) -> Option<Url> {
        let url = Url::parse(self.get(field::CALLBACK_URL)?).ok();
        let is_local = self.policy.local_callbacks;
        let is_http = |url: &Url| url.scheme() == "https" || is_local && url.scheme() == "http";
        let Some(url) = url.filter(is_http) else {
            self.fail(field::CALLBACK_URL, "expected an https URL");
            return None;
        };
        if !is_local && address::names_no_public_address(&url) {
            self.fail(
                field::CALLBACK_URL,
                "expected a name or a public address: nothing is sent to private ones",
            );
        }
        Some(url)
    }

    fn headers(&mut self, url: Option<&Url>) -> HeaderMap {
        let mut headers = self.own_headers();
        let basic = self.basic();
        let has_credentials = |url: &Url| !url.username().is_empty() || url.password().is_some();
        let ways = [
            headers.contains_key(AUTHORIZATION),
            basic.is_some(),
            url.is_some_and(has_credentials),
        ];
        if 1 < ways.into_iter().filter(|is_used| *is_used).count() {
            let field = basic
                .as_ref()
                .map_or(field::CALLBACK_HEADERS, |_| field::BASIC_USERNAME);
            self.fail(
                field,
                "expected one of a user in the URL, a header Authorization, and Basic authentication",
            );
        }
        if let Some(basic) = basic {
            headers.insert(AUTHORIZATION, basic);
        }
        headers
    }

    fn basic(&mut self) -> Option<HeaderValue> {
        let password = self.get(field::BASIC_PASSWORD);
        let Some(username) = self.get(field::BASIC_USERNAME) else {
            if password.is_some() {
                let what = "whose password event.notification.basic.password is";
                let missing = FieldError::required(field::BASIC_USERNAME, what);
                self.errors.push(missing);
            }
            return None;
        };
        if username.contains(':') {
            self.fail(field::BASIC_USERNAME, "expected a name without a colon");
        }
        let both = STANDARD.encode(format!("{username}:{}", password.unwrap_or_default()));
        let mut value = HeaderValue::try_from(format!("Basic {both}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn own_headers(&mut self) -> HeaderMap {
        let Some(text) = self.get(field::CALLBACK_HEADERS) else {
            return HeaderMap::new();
        };
        let Ok(Value::Object(members)) = json::tree(text) else {
            self.fail(field::CALLBACK_HEADERS, "expected a JSON object of texts");
            return HeaderMap::new();
        };
        if MAX_HEADERS < text.len() {
            self.fail(
                field::CALLBACK_HEADERS,
                format!("expected at most {MAX_HEADERS} bytes"),
            );
        }
        let headers = members
            .iter()
            .filter_map(|(name, value)| self.header(name, value));
        headers.collect()
    }

    /// The message names the header and never its value.
    fn header(&mut self, name: &str, value: &Value) -> Option<(HeaderName, HeaderValue)> {
        let known = name.to_ascii_lowercase();
        if OUR_HEADERS.contains(&known.as_str()) {
            let message = format!("expected no header {known}: it is set by whoever sends");
            self.fail(field::CALLBACK_HEADERS, message);
            return None;
        }
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => String::new(),
        };
        let name = HeaderName::try_from(&known).ok();
        let value = HeaderValue::try_from(text)
            .ok()
            .filter(|value| !value.is_empty());
        let Some((name, mut value)) = name.zip(value) else {
            let message = "expected names of headers, each with a text of visible characters";
            self.fail(field::CALLBACK_HEADERS, message);
            return None;
        };
        value.set_sensitive(true);
        Some((name, value))
    }

    fn signature_key(&mut self) -> Option<SecretString> {
        let key = self.get(field::NOTIFICATION_KEY)?;
        let is_base64 = |base64: &str| !base64.is_empty() && STANDARD.decode(base64).is_ok();
        if !key.strip_prefix(KEY_PREFIX).is_none_or(is_base64) || MAX_KEY < key.len() {
            self.fail(
                field::NOTIFICATION_KEY,
                "expected a text of at most 1024 bytes, with base64 behind whsec_ where it begins so",
            );
        }
        Some(key.into())
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::Callback;
    use crate::instance::configuration::Configuration;
    use crate::instance::policy::Policy;
    use crate::instance::settings::Settings;

    const URL: (&str, &str) = (
        "event.notification.callback.url",
        "https://app.example.com/hook",
    );
    const HEADERS: &str = "event.notification.callback.headers";
    const KEY: &str = "event.notification.signature.key";
    const USERNAME: &str = "event.notification.basic.username";
    const PASSWORD: &str = "event.notification.basic.password";

    fn parse(members: &[(&str, &str)], local_callbacks: bool) -> Result<Option<Callback>, String> {
        let mut configuration = Configuration::default();
        let basis = [
            ("username", "api_key"),
            ("event.notification.enabled", "true"),
            ("event.vendor.type", "webhook"),
        ];
        for (key, value) in basis.iter().chain(members) {
            configuration.set(key, value);
        }
        let policy = Policy {
            callbacks_enabled: true,
            local_callbacks,
            ..Policy::default()
        };
        let settings = Settings::parse(&configuration, &policy);
        settings
            .map(|settings| settings.callback)
            .map_err(|errors| {
                let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
                errors.join("\n")
            })
    }

    fn callback(members: &[(&str, &str)]) -> Callback {
        let members: Vec<_> = [URL].iter().chain(members).copied().collect();
        parse(&members, false).unwrap().unwrap()
    }

    fn refused(members: &[(&str, &str)]) -> String {
        let members: Vec<_> = [URL].iter().chain(members).copied().collect();
        parse(&members, false).unwrap_err()
    }

    #[test]
    fn an_owners_headers_and_basic_authentication_go_along() {
        let callback = callback(&[
            (HEADERS, r#"{"X-Tenant": "acme", "x-number": 7}"#),
            (USERNAME, "Aladdin"),
            (PASSWORD, "open sesame"),
        ]);
        let header = |name: &str| callback.headers[name].to_str().unwrap();
        assert_eq!((header("x-tenant"), header("x-number")), ("acme", "7"));
        // The example of RFC 7617.
        assert_eq!(
            header("authorization"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert!(callback.headers.values().all(HeaderValue::is_sensitive));
        assert_eq!(callback.headers.len(), 3);
    }

    #[test]
    fn an_owners_headers_cannot_be_ours_nor_the_connections() {
        for name in [
            "Host",
            "content-length",
            "TE",
            "Webhook-Signature",
            "elements-webhook-id",
        ] {
            let json = format!(r#"{{"{name}": "secret"}}"#);
            let message = format!(
                "{HEADERS}: expected no header {}: it is set by whoever sends",
                name.to_lowercase()
            );
            assert_eq!(refused(&[(HEADERS, &json)]), message);
        }
        for json in [
            r#"{"a b": "secret"}"#,
            r#"{"": "secret"}"#,
            r#"{"a": "secret\r\nHost: b"}"#,
            r#"{"a": ""}"#,
            r#"{"a": null}"#,
            r#"{"a": ["secret"]}"#,
        ] {
            let message = refused(&[(HEADERS, json)]);
            assert!(
                message.ends_with("each with a text of visible characters"),
                "{json}: {message}"
            );
        }
        for json in ["secret", "[]", "7"] {
            assert!(refused(&[(HEADERS, json)]).ends_with("expected a JSON object of texts"));
        }
        let long = format!(r#"{{"a": "{}"}}"#, "a".repeat(4_096));
        assert!(refused(&[(HEADERS, &long)]).ends_with("expected at most 4096 bytes"));
    }

    #[test]
    fn an_owner_is_known_in_one_way() {
        let user = "https://me:secret@app.example.com/hook";
        let header = r#"{"Authorization": "Bearer secret"}"#;
        let url = URL.0;
        for ways in [
            [(url, user), (HEADERS, header)].as_slice(),
            &[(url, user), (USERNAME, "me")],
            &[(HEADERS, header), (USERNAME, "me")],
        ] {
            assert!(refused(ways).contains("expected one of a user in the URL"));
        }
        assert!(refused(&[(PASSWORD, "secret")]).contains("is required: whose password"));
        assert!(refused(&[(USERNAME, "a:b")]).contains("without a colon"));
        callback(&[(url, user)]);
        callback(&[(HEADERS, header)]);
        callback(&[(USERNAME, "me")]);
    }

    #[test]
    fn a_signature_key_is_a_text_or_base64() {
        for key in [
            "MySecretEventSignatureKey",
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        ] {
            assert!(callback(&[(KEY, key)]).signature_key.is_some());
        }
        for key in ["whsec_", "whsec_secret!", &"k".repeat(1_025)] {
            assert!(
                refused(&[(KEY, key)]).contains("with base64 behind whsec_"),
                "{key}"
            );
        }
        assert!(callback(&[]).signature_key.is_none());
    }

    #[test]
    fn a_private_address_is_refused_unless_all_is_local() {
        for url in [
            "http://app.example.com/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "http://127.0.0.1:9001/",
        ] {
            assert!(parse(&[(URL.0, url)], false).is_err(), "{url}");
            assert!(parse(&[(URL.0, url)], true).unwrap().is_some(), "{url}");
        }
        assert!(parse(&[(URL.0, "ftp://app.example.com/")], true).is_err());
    }

    #[test]
    fn enabled_events_without_a_url_are_on_the_bus_alone() {
        assert!(parse(&[], false).unwrap().is_none());
        let asked = parse(&[("event.notification.type", "webhook")], false);
        assert!(
            asked
                .unwrap_err()
                .starts_with("event.notification.callback.url: is required")
        );
    }

    #[test]
    fn without_wanted_notifications_there_is_no_callback() {
        let by_rule = [URL, ("event.notification.type", "eventbridge")];
        assert!(parse(&by_rule, false).unwrap().is_none());
        let disabled = [URL, ("event.notification.enabled", "false")];
        assert!(parse(&disabled, false).unwrap().is_none());
    }
}

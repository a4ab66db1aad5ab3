//! How a receiver knows that a notification is ours.
//!
//! `Elements-Webhook-Signature` is the base64 of HMAC-SHA256 over the body, keyed with the text of the instance's
//! `event.notification.signature.key`. It says nothing of the time, so the headers of Standard Webhooks are sent as well:
//! `webhook-signature` is over id, time and body. Source: standardwebhooks.com, "Specification", 1.0.0.
//!
//! Its key is that of the instance, or, where it has none, the SHA-256 of its Element token: the owner has that token, and
//! whoever is told the key learns nothing of it. While a key is being replaced, `webhook-signature` has a signature of each,
//! with a space between, as the specification has it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use shared::event::id::EventId;
use shared::instance::settings::callback::{self, Callback, KEY_PREFIX};
use shared::instance::{Instance, PreviousKey};

const ELEMENTS_ID: HeaderName = HeaderName::from_static("elements-webhook-id");
const ELEMENTS_SIGNATURE: HeaderName = HeaderName::from_static("elements-webhook-signature");
const STANDARD_ID: HeaderName = HeaderName::from_static("webhook-id");
const STANDARD_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const STANDARD_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The headers that identify and sign a notification at the time of an attempt.
pub fn headers(
    callback: &Callback,
    keys: &[SecretString],
    id: EventId,
    now: Timestamp,
    body: &[u8],
) -> HeaderMap {
    let (id, timestamp) = (id.to_string(), now.as_second().to_string());
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: String| {
        // Hex, digits and base64 always are a header's value.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    if let Some(key) = &callback.signature_key {
        let signature = sign(key.expose_secret().as_bytes(), &[body]);
        set(ELEMENTS_SIGNATURE, format!("sha256={signature}"));
    }
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let signatures = keys
        .iter()
        .map(|key| format!("v1,{}", sign(&standard_key(key), &parts)));
    let signatures: Vec<_> = signatures.collect();
    if !signatures.is_empty() {
        set(STANDARD_SIGNATURE, signatures.join(" "));
    }
    set(ELEMENTS_ID, id.clone());
    set(STANDARD_ID, id);
    set(STANDARD_TIMESTAMP, timestamp);
    headers
}

/// The keys that sign an instance's notifications, the newest first.
pub fn keys(instance: &Instance, now: Timestamp) -> Vec<SecretString> {
    let previous = PreviousKey::good(&instance.previous_callback_keys, now).rev();
    let previous = previous.map(|previous| previous.key.as_str().into());
    let newest = callback::signature_key(&instance.configuration, &instance.token_hash);
    newest.into_iter().chain(previous).collect()
}

/// The key's bytes.
fn standard_key(key: &SecretString) -> Vec<u8> {
    let key = key.expose_secret();
    let base64 = key.strip_prefix(KEY_PREFIX);
    let bytes = base64.and_then(|base64| STANDARD.decode(base64).ok());
    bytes.unwrap_or_else(|| key.as_bytes().to_vec())
}

fn sign(key: &[u8], parts: &[&[u8]]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    for part in parts {
        mac.update(part);
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use jiff::{SignedDuration, Timestamp};
    use reqwest::header::HeaderMap;
    use sha2::{Digest, Sha256};
    use shared::event::id::EventId;
    use shared::function::clock::Clock;
    use shared::instance::configuration::Configuration;
    use shared::instance::settings::callback::Callback;
    use shared::instance::{Instance, PreviousKey};
    use standardwebhooks::Webhook;

    use super::{headers, keys, sign};

    const BODY: &str = r#"{"severity":"medium","name":"Zoë"}"#;
    const TOKEN: &str = "dG9rZW4gb2YgdGhlIHRlc3RzLCAzMiBieXRlcyBsb24=";

    fn instance(key: Option<&str>) -> Instance {
        let mut configuration = Configuration::default();
        if let Some(key) = key {
            configuration.set("event.notification.signature.key", key);
        }
        let id = 1.try_into().unwrap();
        Instance {
            token_hash: hex::encode(Sha256::digest(TOKEN)),
            ..Instance::new(id, "Test", configuration, Timestamp::UNIX_EPOCH)
        }
    }

    fn signed_for(instance: &Instance, key: Option<&str>, now: Timestamp) -> HeaderMap {
        let callback = Callback {
            url: "https://app.example.com/".parse().unwrap(),
            headers: HeaderMap::new(),
            signature_key: key.map(Into::into),
        };
        let (keys, id) = (keys(instance, now), EventId([7; 16]));
        headers(&callback, &keys, id, now, BODY.as_bytes())
    }

    fn signed(key: Option<&str>, now: Timestamp) -> HeaderMap {
        signed_for(&instance(key), key, now)
    }

    fn verify(webhook: &Webhook, key: Option<&str>) {
        let headers = signed(key, Clock::start().now());
        webhook.verify(BODY.as_bytes(), &headers).unwrap();
        webhook.verify(b"another body", &headers).unwrap_err();
    }

    #[test]
    fn the_published_vector_of_cloud_elements() {
        let signature = sign(
            b"MySecretEventSignatureKey",
            &[b"<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>"],
        );
        assert_eq!(signature, "jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ=");
    }

    #[test]
    fn the_published_vector_of_standard_webhooks() {
        let key = STANDARD.decode("C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = sign(
            &key,
            &[
                b"msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                b".",
                b"1649367553",
                b".",
                body,
            ],
        );
        assert_eq!(signature, "tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn a_library_of_standard_webhooks_verifies_with_each_kind_of_key() {
        let whsec = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        verify(&Webhook::new(whsec).unwrap(), Some(whsec));
        let text = "MySecretEventSignatureKey";
        verify(&Webhook::new(&STANDARD.encode(text)).unwrap(), Some(text));
        // As the documentation has an owner make it of the token.
        let of_token = format!("whsec_{}", STANDARD.encode(Sha256::digest(TOKEN)));
        verify(&Webhook::new(&of_token).unwrap(), None);
    }

    #[test]
    fn each_good_key_signs_and_the_newest_first() {
        let now = Clock::start().now();
        let previous = |key: &str, seconds| PreviousKey {
            key: key.to_owned(),
            good_until: now + SignedDuration::from_secs(seconds),
        };
        let instance = Instance {
            previous_callback_keys: vec![
                previous("expired", 0),
                previous("older", 1),
                previous("old", 2),
            ],
            ..instance(Some("new"))
        };
        let headers = signed_for(&instance, Some("new"), now);
        let signatures = headers["webhook-signature"].to_str().unwrap();
        let alone = |key: &str| signed(Some(key), now)["webhook-signature"].clone();
        let expected = ["new", "old", "older"].map(alone);
        let expected: Vec<_> = expected.iter().map(|one| one.to_str().unwrap()).collect();
        assert_eq!(signatures, expected.join(" "));
        for (key, is_good) in [("new", true), ("older", true), ("expired", false)] {
            let webhook = Webhook::new(&STANDARD.encode(key)).unwrap();
            let verified = webhook.verify(BODY.as_bytes(), &headers);
            assert_eq!(verified.is_ok(), is_good, "{key}");
        }
    }

    #[test]
    fn names_the_event_and_the_time_of_the_attempt() {
        let headers = signed(Some("key"), Timestamp::constant(1_649_367_553, 900_000_000));
        let id = "07070707070707070707070707070707";
        assert_eq!(headers["elements-webhook-id"], id);
        assert_eq!(headers["webhook-id"], id);
        assert_eq!(headers["webhook-timestamp"], "1649367553");
        let signature = headers["elements-webhook-signature"].to_str().unwrap();
        assert_eq!(
            signature,
            format!("sha256={}", sign(b"key", &[BODY.as_bytes()]))
        );
    }

    #[test]
    fn only_an_instances_own_key_makes_the_older_signature() {
        let headers = signed(None, Timestamp::UNIX_EPOCH);
        assert!(!headers.contains_key("elements-webhook-signature"));
        assert!(headers.contains_key("webhook-signature"));
    }
}

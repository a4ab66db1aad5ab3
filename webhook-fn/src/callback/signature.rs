//! How a receiver knows that a notification is ours.
//!
//! `Elements-Webhook-Signature` is the base64 of HMAC-SHA256 over the body, keyed with the text of the instance's
//! `event.notification.signature.key`. It says nothing of the time, so the headers of Standard Webhooks are sent as well:
//! `webhook-signature` is over id, time and body. Source: standardwebhooks.com, "Specification", 1.0.0.
//!
//! Its key is that of the instance, or, where it has none, the SHA-256 of its Element token: the owner has that token, and
//! whoever is told the key learns nothing of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use sha2::Sha256;
use shared::event::EventId;
use shared::settings::callback::{Callback, KEY_PREFIX};

const ELEMENTS_ID: HeaderName = HeaderName::from_static("elements-webhook-id");
const ELEMENTS_SIGNATURE: HeaderName = HeaderName::from_static("elements-webhook-signature");
const STANDARD_ID: HeaderName = HeaderName::from_static("webhook-id");
const STANDARD_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const STANDARD_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The headers that identify and sign a notification at the time of an attempt.
pub fn headers(
    callback: &Callback,
    token_hash: &str,
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
    if let Some(key) = standard_key(callback, token_hash) {
        let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        set(STANDARD_SIGNATURE, format!("v1,{}", sign(&key, &parts)));
    }
    set(ELEMENTS_ID, id.clone());
    set(STANDARD_ID, id);
    set(STANDARD_TIMESTAMP, timestamp);
    headers
}

/// The key's bytes; none, for an instance that has neither a key nor a token.
fn standard_key(callback: &Callback, token_hash: &str) -> Option<Vec<u8>> {
    let Some(key) = &callback.signature_key else {
        return hex::decode(token_hash).ok();
    };
    let key = key.expose_secret();
    let base64 = key.strip_prefix(KEY_PREFIX);
    let bytes = base64.and_then(|base64| STANDARD.decode(base64).ok());
    Some(bytes.unwrap_or_else(|| key.as_bytes().to_vec()))
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
    use jiff::Timestamp;
    use reqwest::header::HeaderMap;
    use sha2::{Digest, Sha256};
    use shared::clock::Clock;
    use shared::event::EventId;
    use shared::settings::callback::Callback;
    use standardwebhooks::Webhook;

    use super::{headers, sign};

    const BODY: &str = r#"{"severity":"medium","name":"Zoë"}"#;
    const TOKEN: &str = "dG9rZW4gb2YgdGhlIHRlc3RzLCAzMiBieXRlcyBsb24=";

    fn signed(key: Option<&str>, now: Timestamp) -> HeaderMap {
        let callback = Callback {
            url: "https://app.example.com/".parse().unwrap(),
            headers: HeaderMap::new(),
            signature_key: key.map(Into::into),
        };
        let token_hash = hex::encode(Sha256::digest(TOKEN));
        headers(
            &callback,
            &token_hash,
            EventId([7; 16]),
            now,
            BODY.as_bytes(),
        )
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

//! Whether a notification is from here, as any receiver of one would find out.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A message that is older, or from further ahead, may be somebody's copy.
const TOLERANCE_SECONDS: i64 = 5 * 60;

/// Checks both signatures of a notification, or says what is wrong with them. `now` is in seconds since 1970.
pub(crate) fn verify(
    key: &str,
    headers: &HeaderMap,
    body: &[u8],
    now: i64,
) -> Result<(), &'static str> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let elements = header("elements-webhook-signature").ok_or("no Elements-Webhook-Signature")?;
    let elements = elements.strip_prefix("sha256=").unwrap_or_default();
    if !is_signed(key, &[body], elements) {
        return Err("another Elements-Webhook-Signature");
    }
    let id = header("webhook-id").ok_or("no webhook-id")?;
    let timestamp = header("webhook-timestamp").ok_or("no webhook-timestamp")?;
    let sent: i64 = timestamp.parse().map_err(|_| "not a webhook-timestamp")?;
    if TOLERANCE_SECONDS < (now - sent).abs() {
        return Err("another time");
    }
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    // There may be several, of old and new keys.
    let signatures = header("webhook-signature").ok_or("no webhook-signature")?;
    let mut signatures = signatures.split(' ');
    let is_ours = |signature: &str| {
        let signature = signature.strip_prefix("v1,");
        signature.is_some_and(|signature| is_signed(key, &parts, signature))
    };
    if signatures.any(is_ours) {
        Ok(())
    } else {
        Err("another webhook-signature")
    }
}

fn is_signed(key: &str, parts: &[&[u8]], signature: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return false;
    };
    for part in parts {
        mac.update(part);
    }
    let signature = STANDARD.decode(signature);
    signature.is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MySecretEventSignatureKey";
    /// What the Cloud Elements service documented as signed with this key.
    const BODY: &str = "<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>";
    const ELEMENTS: &str = "sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ=";
    const SENT: i64 = 1_649_367_553;

    fn headers(change: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let sound = [
            ("elements-webhook-signature", ELEMENTS),
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", "1649367553"),
            (
                "webhook-signature",
                "v1,none v1,H/8pdekFvNOqJjUzRhEj1s+kaPD9FylqiPSbTSvhVgc=",
            ),
        ];
        for (name, value) in sound.iter().chain(change) {
            if value.is_empty() {
                headers.remove(*name);
            } else {
                headers.insert(*name, value.parse().expect("a header's value"));
            }
        }
        headers
    }

    #[test]
    fn a_sound_notification_is_verified_and_no_other() {
        let check = |change: &[_], body: &str, now, expect| {
            let verified = verify(KEY, &headers(change), body.as_bytes(), now);
            assert_eq!(verified, expect, "{change:?}");
        };
        check(&[], BODY, SENT, Ok(()));
        check(&[], BODY, SENT + 301, Err("another time"));
        check(
            &[],
            "another",
            SENT,
            Err("another Elements-Webhook-Signature"),
        );
        let elements = "elements-webhook-signature";
        check(
            &[(elements, "")],
            BODY,
            SENT,
            Err("no Elements-Webhook-Signature"),
        );
        check(&[("webhook-id", "")], BODY, SENT, Err("no webhook-id"));
        let other = Err("another webhook-signature");
        check(&[("webhook-id", "msg_2")], BODY, SENT, other);
        check(&[("webhook-timestamp", "1649367554")], BODY, SENT, other);
    }
}

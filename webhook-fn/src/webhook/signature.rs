//! Close's signature of a webhook.
//!
//! `close-sig-hash` is the hex of HMAC-SHA256 over `close-sig-timestamp` and the raw body, without anything between, keyed
//! with the bytes that the subscription's `signature_key` is the hex of.
//! Source: developer.close.com/resources/webhook-subscriptions.
//!
//! No age is too old: whether Close stamps a retry anew is not documented, and it retries for 72 h.

use hmac::{Hmac, KeyInit, Mac};
use lambda_http::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::http::webhook_error::{HASH_HEADER, SignatureError, TIMESTAMP_HEADER};

/// The hash that the headers give, if they give one.
///
/// # Errors
/// [`SignatureError::Malformed`], before anything is read or computed for the request.
pub fn hash(headers: &HeaderMap) -> Result<Option<[u8; 32]>, SignatureError> {
    let Some(text) = headers.get(HASH_HEADER) else {
        return Ok(None);
    };
    let mut hash = [0; 32];
    hex::decode_to_slice(text.as_bytes().trim_ascii(), &mut hash)
        .map_err(|_| SignatureError::Malformed)?;
    Ok(Some(hash))
}

/// Checks the signature of `body` with the keys that are good: one, or more for a while after it was replaced.
///
/// # Errors
/// When it is missing or wrong.
pub fn verify(
    keys: &[SecretString],
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), SignatureError> {
    let timestamp = headers
        .get(TIMESTAMP_HEADER)
        .and_then(|timestamp| timestamp.to_str().ok());
    let (hash, timestamp) = hash(headers)?
        .zip(timestamp)
        .ok_or(SignatureError::Missing)?;
    if keys
        .iter()
        .any(|key| is_signed(key, timestamp, body, &hash))
    {
        Ok(())
    } else {
        Err(SignatureError::Mismatch)
    }
}

fn is_signed(key: &SecretString, timestamp: &str, body: &[u8], hash: &[u8]) -> bool {
    // A stored key is hex; one that is not could sign nothing.
    let key = hex::decode(key.expose_secret()).ok();
    let mac = key.and_then(|key| Hmac::<Sha256>::new_from_slice(&key).ok());
    mac.is_some_and(|mut mac| {
        mac.update(timestamp.as_bytes());
        mac.update(body);
        // Compares in constant time.
        mac.verify_slice(hash).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use lambda_http::http::HeaderMap;
    use secrecy::SecretString;

    use super::{SignatureError, verify};

    // The test vector that thermondo/closeio publishes.
    const KEY: &str = "b9260244ef33625f9b4b26a27db08758cdd39478b852c73f2d33ab042eb8abb4";
    const TIMESTAMP: &str = "1557751596";
    const HASH: &str = "e6cf27a55de463dc46d8b5c16d2afe74d766e8f0c9892422c93573521cd377ed";
    const HASH_OF_KEY_AS_TEXT: &str =
        "59913793034b5fd9c60cdc5599ce5461eb6900e7d8517946eafcf18aaf82568e";
    const BODY: &str = r#"{"event": {"id": "ev_4YUAT9G7PQNYEX0V7HpiZa", "date_created": "2019-01-01T13:33:00.842000", "data": {"object_type": "activity.note", "action": "created", "note": "test content"}}, "subscription_id": "whsub_mBTylJxRXaBOXcuQmgUdmL"}"#;

    fn verified(headers: &[(&'static str, &str)], body: &str) -> Result<(), SignatureError> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        verify(&[SecretString::from(KEY)], &headers, body.as_bytes())
    }

    #[test]
    fn the_published_vector_verifies_and_its_wrong_hash_does_not() {
        assert_eq!(
            verified(
                &[("close-sig-hash", HASH), ("close-sig-timestamp", TIMESTAMP)],
                BODY
            ),
            Ok(())
        );
        let wrong = verified(
            &[
                ("close-sig-hash", HASH_OF_KEY_AS_TEXT),
                ("close-sig-timestamp", TIMESTAMP),
            ],
            BODY,
        );
        assert_eq!(wrong, Err(SignatureError::Mismatch));
    }

    #[test]
    fn any_other_body_time_or_hash_is_refused() {
        let headers = [("close-sig-hash", HASH), ("close-sig-timestamp", TIMESTAMP)];
        assert_eq!(
            verified(&headers, &BODY.replace(": ", ":")),
            Err(SignatureError::Mismatch)
        );
        let later = [
            ("close-sig-hash", HASH),
            ("close-sig-timestamp", "1557751597"),
        ];
        assert_eq!(verified(&later, BODY), Err(SignatureError::Mismatch));
        let short = [
            ("close-sig-hash", &HASH[..62]),
            ("close-sig-timestamp", TIMESTAMP),
        ];
        assert_eq!(verified(&short, BODY), Err(SignatureError::Malformed));
        let long = format!("{HASH}00");
        for text in ["sha256", "", "é", &long, &HASH.replace('e', "g")] {
            let headers = [("close-sig-hash", text), ("close-sig-timestamp", TIMESTAMP)];
            let expected = Err(SignatureError::Malformed);
            assert_eq!(verified(&headers, BODY), expected, "{text}");
        }
        let padded = format!(" {} ", HASH.to_uppercase());
        let headers = [
            ("close-sig-hash", padded.as_str()),
            ("close-sig-timestamp", TIMESTAMP),
        ];
        assert_eq!(verified(&headers, BODY), Ok(()));
    }

    #[test]
    fn a_missing_header_is_refused() {
        assert_eq!(
            verified(&[("close-sig-hash", HASH)], BODY),
            Err(SignatureError::Missing)
        );
        assert_eq!(
            verified(&[("close-sig-timestamp", TIMESTAMP)], BODY),
            Err(SignatureError::Missing)
        );
    }
}

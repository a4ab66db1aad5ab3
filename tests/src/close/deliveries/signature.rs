//! The signature of a webhook delivery.

use anyhow::Context;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `close-sig-hash`: HMAC-SHA256 over the timestamp and the raw body, keyed with the bytes that the key's hexadecimal
/// digits stand for.
///
/// # Errors
///
/// If the key is not hexadecimal.
pub(crate) fn sign(signature_key: &str, timestamp: &str, body: &str) -> anyhow::Result<String> {
    let key = hex::decode(signature_key).context("the signature key is not hexadecimal")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
    mac.update(timestamp.as_bytes());
    mac.update(body.as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_published_vector_matches() {
        let vector: Value =
            serde_json::from_str(include_str!("../samples/webhook-signature-vector.json")).unwrap();
        let text = |name: &str| vector[name].as_str().unwrap();
        let hash = sign(
            text("signature_key_hex"),
            text("close-sig-timestamp"),
            text("raw_body"),
        );
        assert_eq!(hash.unwrap(), text("close-sig-hash"));
    }

    #[test]
    fn a_key_that_is_not_hexadecimal_is_refused() {
        assert!(sign("secret", "1557751596", "{}").is_err());
    }
}

//! Identifiers shaped as Close's: a prefix and letters and digits.

use std::iter::repeat_with;

use sha2::{Digest, Sha256};

/// An identifier of an object: a lead, contact, user, organization.
pub(super) fn object(prefix: &str) -> String {
    format!("{prefix}_{}", alphanumeric(43))
}

/// A short identifier: an event, webhook subscription, request.
pub(super) fn short(prefix: &str) -> String {
    format!("{prefix}_{}", alphanumeric(22))
}

/// An opaque cursor.
pub(super) fn cursor() -> String {
    alphanumeric(64)
}

/// A webhook subscription's signature key: 64 hexadecimal digits.
pub(super) fn signature_key() -> String {
    let bytes: [u8; 32] = std::array::from_fn(|_| fastrand::u8(..));
    hex::encode(bytes)
}

/// The public identifier of an API key, from which the key cannot be guessed.
pub(super) fn api_key(key: &str) -> String {
    let digest = hex::encode(Sha256::digest(key.as_bytes()));
    format!("api_{}", &digest[..22])
}

fn alphanumeric(length: usize) -> String {
    repeat_with(fastrand::alphanumeric).take(length).collect()
}

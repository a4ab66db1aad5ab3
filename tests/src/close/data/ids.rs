//! Identifiers shaped as Close's: a prefix and letters and digits.

use std::iter::repeat_with;

use sha2::{Digest, Sha256};

/// An identifier of an object: a lead, contact, user, organization.
pub(crate) fn object(prefix: &str) -> String {
    format!("{prefix}_{}", alphanumeric(43))
}

/// A short identifier: an event, webhook subscription, request.
pub(crate) fn short(prefix: &str) -> String {
    format!("{prefix}_{}", alphanumeric(22))
}

/// An opaque cursor.
pub(crate) fn cursor() -> String {
    alphanumeric(64)
}

/// A webhook subscription's signature key: 64 hexadecimal digits.
pub(crate) fn signature_key() -> String {
    let bytes: [u8; 32] = std::array::from_fn(|_| fastrand::u8(..));
    hex::encode(bytes)
}

/// The public identifier of an API key, from which the key cannot be guessed.
pub(crate) fn api_key(key: &str) -> String {
    let digest = hex::encode(Sha256::digest(key.as_bytes()));
    format!("api_{}", &digest[..22])
}

/// A number from which the other numbers of its row cannot be seen; different ones stay different.
pub(crate) fn scatter(number: u64) -> u64 {
    // The finalizer of SplitMix64, a permutation: https://prng.di.unimi.it/splitmix64.c
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn alphanumeric(length: usize) -> String {
    repeat_with(fastrand::alphanumeric).take(length).collect()
}

//! Why a webhook is refused, of what its headers and its body say.
//!
//! Here because the status of an answer derives from it: [`HandlerError`](super::error::HandlerError) has a variant for each.

/// The header with the HMAC of timestamp and body.
pub const HASH_HEADER: &str = "close-sig-hash";
/// The header with the time of signing.
pub const TIMESTAMP_HEADER: &str = "close-sig-timestamp";

/// The webhook is not proven to be Close's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is not there.
    #[error(
        "expected the headers {HASH_HEADER} and {TIMESTAMP_HEADER}: this instance takes signed webhooks only"
    )]
    Missing,
    /// The hash is not 32 bytes of hex.
    #[error("expected {HASH_HEADER} to be the hex of an HMAC-SHA256")]
    Malformed,
    /// Another key, or another body.
    #[error(
        "the signature does not match: check that the instance has the signature_key of this subscription"
    )]
    Mismatch,
}

/// The body is not one that Close sends.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Not JSON, or not in UTF-8.
    #[error("expected JSON: {0}")]
    NotJson(String),
    /// JSON of something else.
    #[error(
        "expected a webhook of Close's, with an `event` object, or with `model`, `event` and `data`"
    )]
    NotAWebhook,
    /// 2014's body without what says which object changed.
    #[error("expected `data` to have {0}")]
    NoObject(&'static str),
}

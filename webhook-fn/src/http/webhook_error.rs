//! Why a webhook is refused, of what its headers and its body say.

/// The webhook is not proven to be Close's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is not there.
    #[error(
        "expected the headers close-sig-hash and close-sig-timestamp: this instance takes signed webhooks only"
    )]
    Missing,
    /// The hash is not 32 bytes of hex.
    #[error("expected close-sig-hash to be the hex of an HMAC-SHA256")]
    Malformed,
    /// Another key, or another body.
    #[error(
        "the signature does not match: check that the instance has the signature_key of this subscription"
    )]
    Mismatch,
}

/// The body is none of Close's.
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

//! What can go wrong with a request to Close, by what a caller can do about it.

use std::time::Duration;

use crate::text::shortened::shortened;

/// Of Close's own words, what a log line can bear, in characters.
const MAX_SHOWN: usize = 300;

/// A request to Close failed.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// The API key is not, or no longer, good; a 401 was confirmed.
    #[error("Close refused the API key with status {status}: give the instance a key that works")]
    Unauthorized {
        /// 401 or 403.
        status: u16,
    },
    /// The API key must not go there.
    #[error(
        "the instance's base.url is none of Close's and not, or no longer, among CloseBaseUrls: nothing is sent there"
    )]
    HostNotAllowed,
    /// Too many requests for now.
    #[error("Close's rate limit is used up for {} s", wait.as_secs_f64())]
    RateLimited {
        /// How long.
        wait: Duration,
    },
    /// The cursor of a search has outlived its 30 s.
    #[error("Close's search cursor expired")]
    ExpiredCursor,
    /// The request is one that Close will never take.
    #[error(
        "Close rejected the request with status {status}: {}",
        shortened(message, MAX_SHOWN)
    )]
    Rejected {
        /// 4xx.
        status: u16,
        /// Close's own words.
        message: String,
    },
    /// No answer, or none that can be read: later it may work.
    #[error("Close is unavailable: {0}")]
    Unavailable(String),
}

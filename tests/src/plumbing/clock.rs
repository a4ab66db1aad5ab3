//! The stack's one look at the clock.

use jiff::Timestamp;

/// The present moment.
#[expect(
    clippy::disallowed_methods,
    reason = "the stack stands in for AWS, whose clock is the real one"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A moment as AWS writes it in event envelopes: whole seconds, UTC.
pub(crate) fn seconds(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

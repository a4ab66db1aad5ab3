//! The names of the events that the poller itself puts on the bus.

/// `Source` of them all.
pub const SOURCE: &str = "closeio.poller";
/// `detail-type` of the event that asks for a poll.
pub const POLL_REQUESTED: &str = "poll.requested";
/// `detail-type` where Close no longer has entries that were not read yet.
pub const GAP: &str = "instance.gap";
/// `detail-type` where an instance is no longer polled, until its API key works again.
pub const SUSPENDED: &str = "instance.suspended";

//! The names of the events that the poller itself puts on the bus.

use shared::instance::stream::SubscriptionEvent;

/// `Source` of requests for a poll. Gaps and suspensions have it too, beside [`NOTICES`].
pub const SOURCE: &str = "closeio.poller";
/// `Source` of what there is to say of an instance.
pub const NOTICES: &str = "closeio.instances";
/// `detail-type` of the event that asks for a poll.
pub const POLL_REQUESTED: &str = "poll.requested";
/// `detail-type` where Close no longer has entries that were not read yet.
pub const GAP: &str = "instance.gap";
/// `detail-type` where an instance is no longer polled, until its API key works again.
pub const SUSPENDED: &str = "instance.suspended";

/// `detail-type` of what has happened to an instance's subscription.
pub fn of_subscription(event: SubscriptionEvent) -> &'static str {
    match event {
        SubscriptionEvent::Paused => "subscription.paused",
        SubscriptionEvent::Resumed => "subscription.resumed",
        SubscriptionEvent::Recreated => "subscription.recreated",
        SubscriptionEvent::Down => "subscription.down",
    }
}

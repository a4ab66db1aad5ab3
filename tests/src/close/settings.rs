//! What can be set about the simulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// When a change reaches the search index, or is shown by the event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexDelay {
    /// With the change itself.
    Immediately,
    /// So long after the change.
    After(Duration),
    /// When [`super::organization::Organization::release_index`], or
    /// [`super::organization::Organization::release_events`], is called.
    UntilReleased,
}

/// Which `close-sig-timestamp` a retry bears; Close does not say which it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryStamp {
    /// The time of the retry.
    Fresh,
    /// The time of the first attempt.
    Original,
}

/// What becomes of a subscription that names events which Close does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownEvents {
    /// It is refused, and the first of them is named.
    RefusedByName,
    /// It is refused, and they are told by their place in the list.
    RefusedByPosition,
    /// It is made without them.
    LeftOut,
}

/// What a search answers to the selector `custom`; no recorded answer shows which Close does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomAnswer {
    /// The deprecated object of values by the fields' names, as a connector in production says.
    Aggregate,
    /// A key for each custom field that has a value, as Close's documentation says of its lists.
    Flat,
}

/// A limit for every endpoint group.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    /// Requests of one API key to one endpoint group within the window.
    pub limit: u32,
    /// The window's length; it begins with the first request in it.
    pub window: Duration,
    /// The form of a 429, which decides what every answer says of the limit.
    pub body: ThrottleBody,
}

/// The forms that a 429 has had, and two that come from elsewhere on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleBody {
    /// Today's, as seen on the wire: `RateLimit` with semicolons, its members alone, `Retry-After`, and no body to rely on.
    Empty,
    /// As in 2017: the headers `X-Rate-Limit-*` and a body with `rate_reset` at its top level, as text.
    Flat2017,
    /// As until 2024: the headers as documented, with commas and nothing alone, and a body with `rate_reset` within `error`, as a number.
    Nested2023,
    /// `Retry-After` and nothing else.
    RetryAfterOnly,
    /// The status and nothing else.
    Bare,
}

/// The simulator's settings; the default is what is known or seen of Close itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen: loopback only; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How long a search cursor lives.
    pub cursor_life: Duration,
    /// How many objects one cursor walk may return.
    pub walk_cap: usize,
    /// How many objects of a list may be skipped.
    pub max_skip: usize,
    /// When changes reach the search index, unless a change says otherwise.
    pub index_delay: IndexDelay,
    /// What a search answers to the selector `custom`.
    pub custom_answer: CustomAnswer,
    /// Successive updates of one object within this time become one event. Close does not publish the length.
    pub consolidation: Duration,
    /// Whether a new lead is two events: its own, and that of the activity that Close makes of it.
    pub creation_events: bool,
    /// How long the event log keeps an entry.
    pub event_retention: Duration,
    /// How long the event log shows an object's data to a key that is no administrator's.
    pub event_data_open_for: Duration,
    /// How long after the change a `created` event is delivered.
    pub created_delay: Duration,
    /// How long after the change any other event is delivered.
    pub updated_delay: Duration,
    /// How long a receiver may take to answer.
    pub webhook_timeout: Duration,
    /// How long connecting to a receiver may take.
    pub webhook_connect_timeout: Duration,
    /// How many deliveries run at once. Close does not publish the number.
    pub webhook_concurrency: usize,
    /// The waits between retries are multiplied by this.
    pub retry_scale: f64,
    /// What a retry is stamped with.
    pub retry_stamp: RetryStamp,
    /// With so many events waiting, a subscription's `health_status` warns.
    pub backlog_warning: usize,
    /// With so many events waiting, a subscription is paused and they are dropped.
    pub backlog_limit: usize,
    /// When every attempt has failed for so long, multiplied by `retry_scale`, the same happens.
    pub failing_limit: Duration,
    /// Rate limits, off unless given.
    pub rate_limit: Option<RateLimit>,
    /// What becomes of a subscription to events that Close does not know. Close does not say.
    pub unknown_events: UnknownEvents,
    /// Object types that Close does not let anybody subscribe to.
    pub withheld_types: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            cursor_life: Duration::from_secs(30),
            walk_cap: 10_000,
            max_skip: 250_000,
            index_delay: IndexDelay::Immediately,
            custom_answer: CustomAnswer::Aggregate,
            consolidation: Duration::from_secs(10),
            creation_events: true,
            event_retention: Duration::from_hours(30 * 24),
            event_data_open_for: Duration::from_hours(1),
            created_delay: Duration::from_millis(650),
            updated_delay: Duration::from_secs(10),
            webhook_timeout: Duration::from_secs(15),
            webhook_connect_timeout: Duration::from_secs(5),
            webhook_concurrency: 10,
            retry_scale: 1.0,
            retry_stamp: RetryStamp::Fresh,
            backlog_warning: 80_000,
            backlog_limit: 100_000,
            failing_limit: Duration::from_hours(72),
            rate_limit: None,
            unknown_events: UnknownEvents::RefusedByName,
            withheld_types: Vec::new(),
        }
    }
}

impl Settings {
    /// Close without the waiting, for tests: no consolidation, deliveries at once, the first retry after 61 ms; and a new lead is
    /// one event.
    pub fn quick() -> Self {
        Self {
            consolidation: Duration::ZERO,
            creation_events: false,
            created_delay: Duration::ZERO,
            updated_delay: Duration::ZERO,
            retry_scale: 0.001,
            ..Self::default()
        }
    }
}

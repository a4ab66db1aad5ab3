//! How an instance's webhooks and its polls stand as one stream. Poller-fn writes this when it gives the lease back.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::close::webhook::SubscribedEvent;
use crate::instance::settings::Settings;

/// How long before an instance is found the first reconciliation of one starts that an earlier version has stored.
const FIRST_SPAN: SignedDuration = SignedDuration::from_hours(1);
/// So many deliveries tell whether most are missed.
const ENOUGH_DELIVERIES: u64 = 10;
/// Close's log keeps an entry so long, so an event that was added earlier needs no start of its own.
const LOG_RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How the stream of an instance stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stream {
    /// When the polled resources are due. Where there is no time, at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_polling_at: Option<Timestamp>,
    /// When the reconciliation is due. Where there is no time, at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_reconciliation_at: Option<Timestamp>,
    /// Until when all webhooks were reconciled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciled_until: Option<Timestamp>,
    /// Deliveries that the last reconciliation found missing while Close said that it delivers.
    pub missed: u64,
    /// Deliveries that reconciliations have counted, until there are enough to judge by.
    #[serde(skip_serializing_if = "Deliveries::is_none")]
    pub deliveries: Deliveries,
    /// The subscription at Close, as it was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SeenSubscription>,
    /// What is still to be said of the subscription, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<SubscriptionNotice>,
    /// Since when the ledger cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_unread_since: Option<Timestamp>,
    /// Whether Close did not answer for its event log in the last poll.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_log_silent: bool,
}

/// Deliveries that Close should have made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    /// All of them.
    pub expected: u64,
    /// Those that were not on the bus.
    pub missed: u64,
}

/// A subscription at Close, as a reconciliation sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenSubscription {
    /// Whether it delivers.
    pub status: DeliveryStatus,
    /// Since when it has this status, or since when it was last repaired, as far as reconciliations have seen.
    pub since: Timestamp,
    /// Why Close paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_reason: Option<String>,
    /// When it was last seen to deliver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_active: Option<Timestamp>,
    /// The wanted events that it does not cover, as `task.voicemail.created`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// Whether a subscription delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// It does.
    Active,
    /// It is paused or missing.
    Down,
    /// Close does not say.
    Unknown,
}

/// What consumers are told of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionNotice {
    /// What has happened to it.
    pub event: SubscriptionEvent,
    /// Why Close paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_reason: Option<String>,
    /// When it was last seen to deliver. Deliveries may be missing from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// When this was seen, or done.
    pub to: Timestamp,
}

/// What has happened to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionEvent {
    /// Close has paused it.
    Paused,
    /// It delivers again.
    Resumed,
    /// Close had it no more, and it was made anew.
    Recreated,
    /// It delivers nothing, and cannot be repaired.
    Down,
}

/// From when on webhooks are reconciled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReconciledFrom {
    /// The start. Entries before it are not published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// The starts of events that were added later, by names such as `lead.updated`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub added: BTreeMap<String, Timestamp>,
    /// When the instance was last enabled: Close has dropped the deliveries before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<Timestamp>,
}

impl Stream {
    /// Whether Close delivers webhooks of an event such as `lead.updated`, and did so at `time` as far as reconciliations have seen.
    pub fn was_delivering(&self, event: &str, time: Timestamp) -> bool {
        let seen = self.subscription.as_ref();
        seen.is_some_and(|seen| {
            let is_refused = seen.refused.iter().any(|refused| refused == event);
            seen.status == DeliveryStatus::Active && seen.since <= time && !is_refused
        })
    }

    /// Whether webhooks are known not to arrive: then the event log is the channel.
    pub fn is_down(&self) -> bool {
        let status = self.subscription.as_ref().map(|seen| seen.status);
        status == Some(DeliveryStatus::Down)
    }
}

impl Deliveries {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what a reconciliation has counted. Returns how many of a hundred were missed, once there are enough to judge by, and
    /// begins anew.
    pub fn add(&mut self, counted: Self) -> Option<u64> {
        self.expected = self.expected.saturating_add(counted.expected);
        self.missed = self.missed.saturating_add(counted.missed);
        if self.expected < ENOUGH_DELIVERIES {
            return None;
        }
        let Self { expected, missed } = std::mem::take(self);
        missed.saturating_mul(100).checked_div(expected)
    }
}

impl SeenSubscription {
    /// A subscription of which no more is known.
    pub fn new(status: DeliveryStatus, since: Timestamp) -> Self {
        Self {
            status,
            since,
            pause_reason: None,
            last_active: None,
            refused: Vec::new(),
        }
    }
}

impl ReconciledFrom {
    /// The reconciliation of a subscription that begins now.
    pub fn now(now: Timestamp) -> Self {
        Self {
            start: Some(now),
            ..Self::default()
        }
    }

    /// The reconciliation of an instance that an earlier version has stored, and that is found now.
    pub fn found(now: Timestamp) -> Self {
        Self::now(now.saturating_sub(FIRST_SPAN).unwrap_or(Timestamp::MIN))
    }

    /// The same after a change of the configuration. A reconciliation that is new begins now.
    #[must_use]
    pub fn after_change(self, before: &Settings, after: &Settings, now: Timestamp) -> Self {
        match (&before.reconciliation, &after.reconciliation) {
            (None, Some(_)) => Self::now(now),
            (Some(before), Some(after)) => self.changed(&before.events, &after.events, now),
            (_, None) => self,
        }
    }

    /// Events that are new begin now.
    fn changed(
        mut self,
        before: &[SubscribedEvent],
        after: &[SubscribedEvent],
        now: Timestamp,
    ) -> Self {
        let kept = now.saturating_sub(LOG_RETENTION).unwrap_or(Timestamp::MIN);
        let is_wanted = |name: &String| after.iter().any(|event| event.name() == *name);
        self.added
            .retain(|name, since| kept < *since && is_wanted(name));
        let is_new = |event: &&SubscribedEvent| !before.iter().any(|old| old.is_same_kind(event));
        let new = after.iter().filter(is_new);
        self.added.extend(new.map(|event| (event.name(), now)));
        self
    }

    /// From when on an event is reconciled.
    pub fn of(&self, event: &SubscribedEvent) -> Timestamp {
        let added = self.added.get(&event.name()).copied();
        added.max(self.start).unwrap_or(Timestamp::MIN)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::{Deliveries, DeliveryStatus, ReconciledFrom, SeenSubscription, Stream};
    use crate::instance::settings::objects;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).unwrap()
    }

    #[test]
    fn a_delivery_is_missed_only_where_close_delivered_the_event_at_that_time() {
        let stream = |status| Stream {
            subscription: Some(SeenSubscription {
                refused: vec!["group.created".to_owned()],
                ..SeenSubscription::new(status, at(5))
            }),
            ..Stream::default()
        };
        let active = stream(DeliveryStatus::Active);
        assert!(active.was_delivering("lead.updated", at(5)));
        assert!(!active.was_delivering("lead.updated", at(4)));
        assert!(!active.was_delivering("group.created", at(5)));
        for status in [DeliveryStatus::Down, DeliveryStatus::Unknown] {
            assert!(!stream(status).was_delivering("lead.updated", at(5)));
        }
    }

    #[test]
    fn the_share_of_missed_deliveries_is_told_of_ten_at_least() {
        let mut all = Deliveries::default();
        let counted = |expected, missed| Deliveries { expected, missed };
        assert_eq!(all.add(counted(9, 1)), None);
        assert_eq!(all.add(counted(0, 0)), None);
        assert_eq!(all.add(counted(11, 4)), Some(25));
        assert_eq!(all, Deliveries::default());
        assert_eq!(all.add(counted(10, 10)), Some(100));
    }

    #[test]
    fn events_that_are_added_begin_when_they_are_and_the_others_stay() {
        let events = |names| objects::events(Some(names)).unwrap();
        let (lead, both) = (
            events("lead.updated"),
            events("lead.updated,contact.created"),
        );
        let from = ReconciledFrom::now(at(1)).changed(&lead, &both, at(5));
        assert_eq!(from.of(&lead[0]), at(1));
        assert_eq!(from.of(&events("contact.created")[0]), at(5));
        let removed = from.clone().changed(&both, &lead, at(6));
        assert_eq!(removed, ReconciledFrom::now(at(1)));
        let again = removed.changed(&lead, &both, at(7));
        assert_eq!(
            again.added,
            BTreeMap::from([("contact.created".to_owned(), at(7))])
        );
        assert_eq!(again.changed(&both, &both, at(40)).added, BTreeMap::new());
    }
}

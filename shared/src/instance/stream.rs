//! How an instance's webhooks and its polls stand as one stream. Poller-fn writes this when it gives the lease back.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::close::webhook::SubscribedEvent;
use crate::instance::settings::Settings;

/// How long before an instance is found the first reconciliation of one starts that an earlier version has stored.
const FIRST_SPAN: SignedDuration = SignedDuration::from_hours(1);
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
    /// The subscription at Close, as it was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SeenSubscription>,
    /// Since when the ledger cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_unread_since: Option<Timestamp>,
    /// Whether Close did not answer for its event log in the last poll.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_log_silent: bool,
}

/// A subscription at Close, as a reconciliation sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenSubscription {
    /// Whether it delivers.
    pub status: DeliveryStatus,
    /// Since when it has this status, as far as reconciliations have seen.
    pub since: Timestamp,
    /// Why Close paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_reason: Option<String>,
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

impl SeenSubscription {
    /// A subscription of which no more is known.
    pub fn new(status: DeliveryStatus, since: Timestamp) -> Self {
        Self {
            status,
            since,
            pause_reason: None,
            refused: Vec::new(),
        }
    }
}

impl ReconciledFrom {
    /// The reconciliation of a subscription that begins now.
    pub fn now(now: Timestamp) -> Self {
        Self {
            start: Some(now),
            added: BTreeMap::new(),
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

    use super::{DeliveryStatus, ReconciledFrom, SeenSubscription, Stream};
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

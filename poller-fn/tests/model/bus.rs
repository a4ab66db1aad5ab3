//! A model of the bus: what was published, by whom, in its order.

use std::collections::HashSet;

use jiff::Timestamp;
use shared::event::Event;
use shared::event::bus::publication::Fate;
use shared::event::entry::PutEventsEntry;
use shared::event::id::EventId;
use shared::event::ledger_key::LedgerKey;
use shared::json::path;

/// What a poll may hold between two publications: a thousand records, and a page of them more.
const MAX_UNIT: usize = 1_050;

/// The bus.
#[derive(Default)]
pub(crate) struct Bus {
    pub(crate) changes: Vec<Published>,
    pub(crate) keys: HashSet<Key>,
    /// What never comes onto the bus, for what is in it.
    pub(crate) unpublishable: HashSet<Key>,
    /// The entries of the event log that these are of.
    pub(crate) refused: HashSet<LedgerKey>,
    /// The ids of both.
    done: HashSet<EventId>,
    /// What the poller itself had to say, and when.
    pub(crate) notices: Vec<(Timestamp, PutEventsEntry)>,
}

/// A change on the bus.
pub(crate) struct Published {
    /// The number of the poll.
    pub(crate) poll: usize,
    pub(crate) id: EventId,
    pub(crate) key: Key,
    /// The entry of the event log that it is of.
    pub(crate) entry: Option<LedgerKey>,
    pub(crate) raw: String,
    pub(crate) time: Timestamp,
}

/// What a consumer tells changes apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) object_type: String,
    pub(crate) object_id: String,
    pub(crate) date: Timestamp,
    /// The action, where that is neither created nor updated.
    pub(crate) action: Option<String>,
}

impl Bus {
    /// Takes the events whose fate is to be published.
    pub(crate) fn put(&mut self, poll: usize, events: &[Event], fates: &[Fate], now: Timestamp) {
        for (event, fate) in events.iter().zip(fates) {
            let key = Key::of(event);
            match fate {
                Fate::Unpublished => continue,
                Fate::Unpublishable => {
                    self.done.insert(event.id);
                    self.unpublishable.insert(key);
                    self.refused.extend(event.ledger_keys().nth(1));
                    continue;
                }
                Fate::Published => {}
            }
            self.done.insert(event.id);
            self.keys.insert(key.clone());
            self.changes.push(Published {
                poll,
                id: event.id,
                key,
                entry: event.ledger_keys().nth(1),
                raw: event.change.raw.get().to_owned(),
                time: now,
            });
        }
    }

    /// Whether a change is on the bus, or never can be.
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.keys.contains(key) || self.unpublishable.contains(key)
    }

    /// Whether there is nothing more to do about an event.
    pub(crate) fn is_done(&self, id: EventId) -> bool {
        self.done.contains(&id)
    }

    /// Takes what the poller itself has to say.
    pub(crate) fn say(&mut self, notices: &[PutEventsEntry], now: Timestamp) {
        let notices = notices.iter().cloned();
        self.notices.extend(notices.map(|notice| (now, notice)));
    }

    /// What of a unit breaks a rule.
    pub(crate) fn objection(events: &[Event]) -> Option<String> {
        let is_too_large = MAX_UNIT < events.len();
        is_too_large.then(|| format!("a unit of {} events", events.len()))
    }
}

impl Key {
    pub(crate) fn new(object_type: &str, object_id: &str, date: Timestamp, action: &str) -> Self {
        let is_seen = matches!(action, "created" | "updated");
        Self {
            object_type: object_type.to_owned(),
            object_id: object_id.to_owned(),
            date,
            action: (!is_seen).then(|| action.to_owned()),
        }
    }

    /// What cannot be read, by the entry that it is.
    pub(crate) fn unreadable(entry: &str) -> Self {
        Self {
            object_type: String::new(),
            object_id: entry.to_owned(),
            date: Timestamp::UNIX_EPOCH,
            action: None,
        }
    }

    fn of(event: &Event) -> Self {
        let change = &event.change;
        if change.is_unreadable {
            // As a poll has it, or as a webhook.
            let ids = ["id", "event.id"];
            let id = ids.iter().find_map(|id| path::text_at(&change.raw, id));
            return Self::unreadable(&id.unwrap_or_default());
        }
        Self::new(
            &change.object_type,
            &change.object_id,
            change.date,
            &change.action,
        )
    }
}

//! What a queue holds, by the time that it is told. Nothing here waits, and nothing reads a clock.
//!
//! A message is ready to be received, in the order of `fair`, or it will be `later`: because its sender delayed it, or
//! because somebody has received it and not deleted it yet, which is called in flight. What is too old is deleted.

pub(crate) mod fair;
pub(crate) mod stored;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use self::fair::{Fair, Turn};
pub use self::stored::{Depth, Place};
pub(crate) use self::stored::{Receipt, Stored, Taken};
use crate::aws::sqs::queue::clock::milliseconds;
use crate::aws::sqs::queue::message::Message;
use crate::aws::sqs::queue::rejection::{Rejection, RejectionKind};

/// At most so many messages of a standard queue are in flight.
/// Source: docs.aws.amazon.com, SQS, "Amazon SQS standard queue quotas".
pub(crate) const MAXIMUM_IN_FLIGHT: usize = 120_000;
/// No message is in flight for longer than 12 h from when it was received.
pub(crate) const MAXIMUM_VISIBILITY: Duration = Duration::from_hours(12);

/// The messages of one queue.
#[derive(Debug)]
pub(crate) struct State {
    messages: HashMap<u64, Stored>,
    fair: Fair,
    /// From when it is ready, and which.
    later: BTreeSet<Turn>,
    /// When it was sent, and which.
    kept: BTreeSet<Turn>,
    /// For how long messages are kept.
    retention: i64,
    expired: u64,
    maximum_in_flight: usize,
    arrivals: u64,
}

impl State {
    /// An empty queue that keeps messages for `retention`.
    pub(crate) fn new(retention: Duration) -> Self {
        Self {
            messages: HashMap::new(),
            fair: Fair::default(),
            later: BTreeSet::new(),
            kept: BTreeSet::new(),
            retention: milliseconds(retention),
            expired: 0,
            maximum_in_flight: MAXIMUM_IN_FLIGHT,
            arrivals: 0,
        }
    }

    /// Has no more messages than `count` in flight.
    pub(crate) fn limit_in_flight(&mut self, count: usize) {
        self.maximum_in_flight = count;
    }

    /// Takes a message in, to be received after `delay`.
    pub(crate) fn send(&mut self, now: i64, message: Arc<Message>, delay: Duration) {
        self.insert(Stored {
            message,
            sent_at: now,
            arrived_at: now,
            first_received_at: None,
            received_at: 0,
            receives: 0,
            due: now + milliseconds(delay),
            place: Place::Delayed,
            given_up_by: None,
        });
        self.settle(now);
    }

    /// Takes in what another queue gave up. It keeps the time when it was sent, from which its retention counts.
    /// Source: docs.aws.amazon.com, SQS, "Setting-up dead-letter queue retention in Amazon SQS".
    pub(crate) fn bury(&mut self, now: i64, dead: Stored, given_up_by: &str) {
        self.insert(Stored {
            arrived_at: now,
            first_received_at: None,
            receives: 0,
            due: now,
            place: Place::Delayed,
            given_up_by: Some(given_up_by.to_owned()),
            ..dead
        });
        self.settle(now);
    }

    /// Hands out up to `count` messages, which are then in flight for `visibility`.
    pub(crate) fn receive(
        &mut self,
        now: i64,
        count: usize,
        visibility: Duration,
        maximum_receives: Option<u64>,
    ) -> Taken {
        self.settle(now);
        let mut taken = Taken::default();
        while taken.received.len() < count {
            if self.maximum_in_flight <= self.fair.in_flight() {
                taken.over_limit = true;
                break;
            }
            let Some(arrival) = self.fair.next() else {
                break;
            };
            let Some(stored) = self.messages.get_mut(&arrival) else {
                break;
            };
            if maximum_receives.is_some_and(|most| most <= stored.receives) {
                taken.dead.extend(self.remove(arrival));
                continue;
            }
            stored.receives += 1;
            stored.received_at = now;
            stored.first_received_at.get_or_insert(now);
            let receipt = Receipt {
                arrival,
                receive: stored.receives,
            };
            taken.received.push((receipt, stored.clone()));
            self.replace(arrival, now + milliseconds(visibility), Place::InFlight);
        }
        taken
    }

    /// Deletes the message, if nobody has received it since, and returns it.
    pub(crate) fn delete(&mut self, receipt: Receipt) -> Option<Stored> {
        self.current(receipt)?;
        self.remove(receipt.arrival)
    }

    /// Takes out the messages that can be received.
    pub(crate) fn drain(&mut self, now: i64) -> Vec<Arc<Message>> {
        self.settle(now);
        let next = || {
            let stored = self.remove(self.fair.next()?)?;
            Some(stored.message)
        };
        std::iter::from_fn(next).collect()
    }

    /// Gives the message back after `visibility`, counted from now.
    pub(crate) fn change_visibility(
        &mut self,
        now: i64,
        receipt: Receipt,
        visibility: Duration,
    ) -> Result<(), Rejection> {
        self.settle(now);
        let seconds = visibility.as_secs();
        let Some(stored) = self.current(receipt) else {
            return Err(Rejection::invalid_value(
                "ReceiptHandle",
                "of a deleted message",
                "Message does not exist or is not available for visibility timeout change",
            ));
        };
        if stored.place != Place::InFlight {
            return Err(Rejection::new(
                RejectionKind::MessageNotInflight,
                "The message is not in flight.",
            ));
        }
        let due = now + milliseconds(visibility);
        // The time that has passed since the message was received counts too: so right after, 12 h is too long.
        if stored.received_at + milliseconds(MAXIMUM_VISIBILITY) < due {
            let reason =
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
            return Err(Rejection::invalid_value(
                "VisibilityTimeout",
                seconds,
                reason,
            ));
        }
        self.replace(receipt.arrival, due, Place::InFlight);
        self.settle(now);
        Ok(())
    }

    pub(crate) fn depth(&mut self, now: i64) -> Depth {
        self.settle(now);
        Depth {
            ready: self.fair.ready(),
            delayed: self.later.len() - self.fair.in_flight(),
            in_flight: self.fair.in_flight(),
        }
    }

    /// When the oldest message came that has not been received three times. In a dead-letter queue that is when it was moved
    /// there. Source: docs.aws.amazon.com, SQS, "Available CloudWatch metrics", `ApproximateAgeOfOldestMessage`.
    pub(crate) fn oldest(&mut self, now: i64) -> Option<i64> {
        self.settle(now);
        let counted = self.messages.values().filter(|stored| stored.receives < 3);
        counted.map(|stored| stored.arrived_at).min()
    }

    /// How many messages were deleted because they were too old.
    pub(crate) fn expired(&mut self, now: i64) -> u64 {
        self.settle(now);
        self.expired
    }

    /// When the next message can be received that cannot be yet.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.later.first().map(|(due, _)| *due)
    }

    /// The messages in the order in which they came.
    pub(crate) fn contents(&mut self, now: i64) -> Vec<&Stored> {
        self.settle(now);
        let mut stored: Vec<_> = self.messages.iter().collect();
        stored.sort_unstable_by_key(|(arrival, _)| **arrival);
        stored.into_iter().map(|(_, stored)| stored).collect()
    }

    /// Changes what senders have said in the messages.
    pub(crate) fn edit(&mut self, mut change: impl FnMut(&mut Message)) {
        let arrivals: Vec<_> = self.messages.keys().copied().collect();
        for arrival in arrivals {
            if let Some(mut stored) = self.remove(arrival) {
                change(Arc::make_mut(&mut stored.message));
                self.put(arrival, stored);
            }
        }
    }

    /// Deletes what has become too old, and makes ready what has become due.
    fn settle(&mut self, now: i64) {
        while let Some((sent_at, arrival)) = self.kept.first().copied()
            && sent_at + self.retention <= now
        {
            self.remove(arrival);
            self.expired += 1;
        }
        while let Some((due, arrival)) = self.later.first().copied()
            && due <= now
        {
            self.replace(arrival, due, Place::Ready);
        }
    }

    fn insert(&mut self, stored: Stored) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.put(arrival, stored);
    }

    /// Takes a message from wherever it is to another place.
    fn replace(&mut self, arrival: u64, due: i64, place: Place) {
        if let Some(stored) = self.remove(arrival) {
            let stored = Stored {
                due,
                place,
                ..stored
            };
            self.put(arrival, stored);
        }
    }

    fn put(&mut self, arrival: u64, stored: Stored) {
        let (entry, group) = ((stored.due, arrival), stored.message.group.as_deref());
        match stored.place {
            Place::Ready => self.fair.insert(entry, group),
            Place::Delayed => {}
            Place::InFlight => self.fair.depart(group),
        }
        if stored.place != Place::Ready {
            self.later.insert(entry);
        }
        self.kept.insert((stored.sent_at, arrival));
        self.messages.insert(arrival, stored);
    }

    fn remove(&mut self, arrival: u64) -> Option<Stored> {
        let stored = self.messages.remove(&arrival)?;
        let (entry, group) = ((stored.due, arrival), stored.message.group.as_deref());
        match stored.place {
            Place::Ready => self.fair.remove(entry, group),
            Place::Delayed => {}
            Place::InFlight => self.fair.land(group),
        }
        self.later.remove(&entry);
        self.kept.remove(&(stored.sent_at, arrival));
        Some(stored)
    }

    /// The message, if this is the last time that it was received.
    fn current(&self, receipt: Receipt) -> Option<&Stored> {
        let stored = self.messages.get(&receipt.arrival)?;
        (stored.receives == receipt.receive).then_some(stored)
    }
}

#[cfg(test)]
mod tests;

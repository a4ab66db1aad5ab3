//! What a queue holds, by the time that it is told. Nothing here waits, and nothing reads a clock.
//!
//! A message is `ready` to be received, or it will be `later`: because its sender delayed it, or because somebody has
//! received it and not deleted it yet, which is called in flight.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::clock::milliseconds;
use super::message::Message;
use super::rejection::{Kind, Rejection};

/// At most so many messages of a standard queue are in flight.
pub(crate) const MAXIMUM_IN_FLIGHT: usize = 120_000;
/// No message is in flight for longer than 12 h from when it was received.
pub(crate) const MAXIMUM_VISIBILITY: Duration = Duration::from_hours(12);

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It can be received.
    Ready,
    /// Its sender wanted it to be received later.
    Delayed,
    /// It was received, and neither deleted nor given back yet.
    InFlight,
}

/// How many messages are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// How many can be received.
    pub ready: usize,
    /// How many can be received later.
    pub delayed: usize,
    /// How many were received, and neither deleted nor given back yet.
    pub in_flight: usize,
}

/// One message and its fate up to now.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) message: Arc<Message>,
    /// When it was sent, in milliseconds since 1970 as all that follow.
    pub(super) sent_at: i64,
    pub(super) first_received_at: Option<i64>,
    pub(super) received_at: i64,
    pub(super) receives: u64,
    /// From when it can be received.
    pub(super) due: i64,
    pub(super) place: Place,
    /// The ARN of the queue that gave it up, if this is its dead-letter queue.
    pub(super) given_up_by: Option<String>,
}

/// Which message, and which time that it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) arrival: u64,
    pub(super) receive: u64,
}

/// What a receiver is given.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) received: Vec<(Receipt, Stored)>,
    /// Messages that were received too often, and are none of this queue's any more.
    pub(super) dead: Vec<Stored>,
    /// Whether the queue would have had more, but for the limit of messages in flight.
    pub(super) over_limit: bool,
}

/// The messages of one queue.
#[derive(Debug, Default)]
pub(super) struct State {
    messages: HashMap<u64, Stored>,
    /// Since when, and which.
    ready: BTreeSet<(i64, u64)>,
    /// From when, and which.
    later: BTreeSet<(i64, u64)>,
    in_flight: usize,
    arrivals: u64,
}

impl State {
    /// Takes a message in, to be received after `delay`.
    pub(super) fn send(&mut self, now: i64, message: Arc<Message>, delay: Duration) {
        self.insert(Stored {
            message,
            sent_at: now,
            first_received_at: None,
            received_at: 0,
            receives: 0,
            due: now + milliseconds(delay),
            place: Place::Delayed,
            given_up_by: None,
        });
        self.settle(now);
    }

    /// Takes in what another queue gave up. It keeps the time when it was sent.
    pub(super) fn bury(&mut self, now: i64, dead: Stored, given_up_by: &str) {
        self.insert(Stored {
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
    pub(super) fn receive(
        &mut self,
        now: i64,
        count: usize,
        visibility: Duration,
        maximum_receives: Option<u64>,
    ) -> Taken {
        self.settle(now);
        let mut taken = Taken::default();
        while taken.received.len() < count {
            let Some((_, arrival)) = self.ready.first().copied() else {
                break;
            };
            if MAXIMUM_IN_FLIGHT <= self.in_flight {
                taken.over_limit = true;
                break;
            }
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
            self.put_off(arrival, now + milliseconds(visibility));
        }
        taken
    }

    /// Deletes the message, if nobody has received it since.
    pub(super) fn delete(&mut self, receipt: Receipt) {
        if self.current(receipt).is_some() {
            self.remove(receipt.arrival);
        }
    }

    /// Gives the message back after `visibility`, counted from now.
    pub(super) fn change_visibility(
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
                Kind::MessageNotInflight,
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
        self.put_off(receipt.arrival, due);
        self.settle(now);
        Ok(())
    }

    pub(super) fn depth(&mut self, now: i64) -> Depth {
        self.settle(now);
        Depth {
            ready: self.ready.len(),
            delayed: self.later.len() - self.in_flight,
            in_flight: self.in_flight,
        }
    }

    /// When the oldest message was sent that has not been received three times.
    /// Source: docs.aws.amazon.com, SQS, "Available CloudWatch metrics", `ApproximateAgeOfOldestMessage`.
    pub(super) fn oldest(&self) -> Option<i64> {
        let counted = self.messages.values().filter(|stored| stored.receives < 3);
        counted.map(|stored| stored.sent_at).min()
    }

    /// When the next message can be received that cannot be yet.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.later.first().map(|(due, _)| *due)
    }

    /// The messages in the order in which they came.
    pub(super) fn contents(&mut self, now: i64) -> Vec<&Stored> {
        self.settle(now);
        let mut stored: Vec<_> = self.messages.iter().collect();
        stored.sort_unstable_by_key(|(arrival, _)| **arrival);
        stored.into_iter().map(|(_, stored)| stored).collect()
    }

    /// Changes what senders have said in the messages.
    pub(super) fn edit(&mut self, mut change: impl FnMut(&mut Message)) {
        for stored in self.messages.values_mut() {
            change(Arc::make_mut(&mut stored.message));
        }
    }

    /// Makes ready what has become due.
    fn settle(&mut self, now: i64) {
        while let Some(entry) = self.later.first().copied().filter(|(due, _)| *due <= now) {
            self.later.remove(&entry);
            self.ready.insert(entry);
            if let Some(stored) = self.messages.get_mut(&entry.1) {
                self.in_flight -= usize::from(stored.place == Place::InFlight);
                stored.place = Place::Ready;
            }
        }
    }

    fn insert(&mut self, stored: Stored) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.later.insert((stored.due, arrival));
        self.messages.insert(arrival, stored);
    }

    /// Takes a message from wherever it is, to be in flight until `due`.
    fn put_off(&mut self, arrival: u64, due: i64) {
        if let Some(mut stored) = self.remove(arrival) {
            stored.due = due;
            stored.place = Place::InFlight;
            self.in_flight += 1;
            self.later.insert((due, arrival));
            self.messages.insert(arrival, stored);
        }
    }

    fn remove(&mut self, arrival: u64) -> Option<Stored> {
        let stored = self.messages.remove(&arrival)?;
        let entry = (stored.due, arrival);
        self.ready.remove(&entry);
        self.later.remove(&entry);
        self.in_flight -= usize::from(stored.place == Place::InFlight);
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

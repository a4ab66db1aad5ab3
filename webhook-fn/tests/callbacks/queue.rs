//! An SQS queue: what is received is hidden for a while, and comes again unless it is deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use webhook_fn::callback::message::Message;

use crate::trace::Trace;

/// As in the template.
const VISIBILITY: Duration = Duration::from_mins(6);
/// As in the template. What is received more often goes to the failure queue.
const MAX_RECEIVES: u32 = 20;
/// As in the template.
const BATCH: usize = 10;

/// A queue.
#[derive(Default)]
pub(crate) struct Queue {
    sent: u64,
    messages: BTreeMap<u64, Held>,
    /// Their order, by when they can be received.
    order: BTreeSet<(Instant, u64)>,
}

struct Held {
    message: Message,
    trace: Trace,
    /// When it can be received.
    since: Instant,
    receives: u32,
}

/// A message that was received.
pub(crate) struct Received {
    /// What deletes it.
    pub(crate) handle: u64,
    pub(crate) message: Message,
    pub(crate) trace: Trace,
}

impl Queue {
    /// Takes a message, with an id of its own.
    pub(crate) fn send(&mut self, message: Message, trace: Trace, delay: Duration) {
        self.sent += 1;
        let id = format!(
            "{}-{}",
            if message.is_retry { "retry" } else { "first" },
            self.sent
        );
        let since = Instant::now() + delay;
        let held = Held {
            message: Message { id, ..message },
            trace,
            since,
            receives: 0,
        };
        self.messages.insert(self.sent, held);
        self.order.insert((since, self.sent));
    }

    /// Hands over some of what is visible, in any order. What `is_twice` says stays visible.
    pub(crate) fn receive(&mut self, mut is_twice: impl FnMut(&Trace) -> bool) -> Vec<Received> {
        let now = Instant::now();
        let visible = self.order.range(..=(now, u64::MAX));
        let mut handles: Vec<_> = visible.copied().collect();
        fastrand::shuffle(&mut handles);
        handles.truncate(BATCH);
        let received = handles.into_iter().filter_map(|(_, handle)| {
            let held = self.messages.get_mut(&handle)?;
            held.receives += 1;
            if !is_twice(&held.trace) {
                self.order.remove(&(held.since, handle));
                held.since = now + VISIBILITY;
                self.order.insert((held.since, handle));
            }
            Some(Received {
                handle,
                message: held.message.clone(),
                trace: held.trace.clone(),
            })
        });
        received.collect()
    }

    pub(crate) fn delete(&mut self, handle: u64) {
        if let Some(held) = self.messages.remove(&handle) {
            self.order.remove(&(held.since, handle));
        }
    }

    /// When the next message can be received.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(since, _)| *since)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether SQS takes a message away that was received too often.
    pub(crate) fn loses_one(&self) -> bool {
        self.messages
            .values()
            .any(|held| MAX_RECEIVES < held.receives)
    }
}

//! What tests do with a queue, and see of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;

use super::message::Message;
use super::state::Depth;
use super::{Held, Queue};
use crate::plumbing::ids::uuid;

impl Queue {
    /// Moves the queue's time forward: delays and visibility timeouts run out, as if this much time had passed.
    ///
    /// What a function makes of a message's own times is another matter, for its clock is the real one: see
    /// [`Queue::edit`].
    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
        self.changed.send_replace(());
    }

    /// The queue's time.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.now()).unwrap_or(Timestamp::MAX)
    }

    /// Has no more messages than `count` in flight, instead of AWS's 120,000.
    pub fn limit_in_flight(&self, count: usize) {
        self.lock().limit_in_flight(count);
        self.changed.send_replace(());
    }

    /// Moves all messages that can be received to another queue, as `StartMessageMoveTask` does. There they are new ones, each
    /// with another id, and sent now. Returns how many there were.
    /// Source: docs.aws.amazon.com, SQS, "Learn how to configure a dead-letter queue redrive in Amazon SQS".
    ///
    /// # Errors
    /// If the queue is no dead-letter queue of another, or the other would refuse a message.
    pub fn move_to(&self, destination: &Queue) -> Result<usize> {
        ensure!(
            self.is_dead_letters.load(Ordering::Relaxed),
            "{} is the dead-letter queue of no other",
            self.spec.logical_id
        );
        let messages = self.lock().drain(self.clock.now());
        self.changed.send_replace(());
        for message in &messages {
            let id = uuid();
            let message = Message::clone(message);
            destination.send(Message { id, ..message })?;
        }
        Ok(messages.len())
    }

    /// Receives all that can be received, as somebody who does nothing with it. Returns how many messages that is.
    pub fn receive_all(&self) -> usize {
        let take = || self.take(10, self.spec.visibility_timeout).received.len();
        let taken = std::iter::repeat_with(take);
        taken.take_while(|count| 0 < *count).sum()
    }

    /// Changes all messages that the queue holds, such as the times that are written in them.
    pub fn edit(&self, change: impl FnMut(&mut Message)) {
        self.lock().edit(change);
    }

    /// How many messages are where now.
    pub fn depth(&self) -> Depth {
        self.lock().depth(self.clock.now())
    }

    /// The age of the oldest message, as SQS measures it: what was received three times counts no longer, and in a dead-letter
    /// queue a message is as old as its time there. `None` if there is none.
    pub fn oldest_age(&self) -> Option<Duration> {
        let now = self.clock.now();
        let arrived_at = self.lock().oldest(now)?;
        let age = u64::try_from(now - arrived_at).unwrap_or_default();
        Some(Duration::from_millis(age))
    }

    /// How many messages the queue has deleted because they were older than its retention period. Nobody is told of them.
    pub fn expired(&self) -> u64 {
        self.lock().expired(self.clock.now())
    }

    /// The messages that the queue holds now, in the order in which they came.
    pub fn contents(&self) -> Vec<Held> {
        let mut state = self.lock();
        let contents = state.contents(self.clock.now());
        let held = contents.into_iter().map(|stored| Held {
            message: stored.message.clone(),
            place: stored.place,
            due: Timestamp::from_millisecond(stored.due).unwrap_or(Timestamp::MAX),
            receives: stored.receives,
        });
        held.collect()
    }

    /// Waits until `enough` accepts how many messages are where, and returns that.
    ///
    /// # Errors
    /// If that does not happen within `timeout`; the message says what was there.
    pub async fn wait_for(
        &self,
        timeout: Duration,
        enough: impl Fn(Depth) -> bool,
    ) -> Result<Depth> {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                let depth = self.depth();
                if enough(depth) {
                    return depth;
                }
                self.stir(&mut changed).await;
            }
        };
        let waited = tokio::time::timeout(timeout, waiting).await;
        waited.with_context(|| format!("not within {timeout:?}; there is {:?}", self.depth()))
    }
}

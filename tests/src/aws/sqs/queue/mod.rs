//! SQS queues: messages that are sent, received, given back and given up, by a time that tests can move.
//!
//! What a queue holds is [`state`]; this gives it a clock, somebody to wait for it, and a dead-letter queue. The
//! functions come by HTTP (`service`), rules and failed invocations directly (`targets`), and what feeds a function from a
//! queue is `mapping`.

pub(crate) mod clock;
pub(crate) mod control;
pub mod message;
pub(crate) mod receipt_handle;
pub(crate) mod rejection;
pub mod state;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use self::clock::QueueClock;
use self::message::Message;
use self::rejection::{Rejection, RejectionKind};
use self::state::{Place, State, Stored, Taken};
use crate::control::journal::Journal;
use crate::template::specs::queue::QueueSpec;

/// One queue of the template.
#[derive(Debug)]
pub struct Queue {
    /// What the template says about it.
    pub spec: QueueSpec,
    state: Mutex<State>,
    clock: QueueClock,
    changed: watch::Sender<()>,
    dead_letters: OnceLock<Weak<Queue>>,
    /// Whether it takes what another queue gives up.
    is_dead_letters: AtomicBool,
    messages: Journal<Message>,
    /// Messages that were sent and have not been measured.
    sent: AtomicU32,
}

/// A message as the queue holds it now.
#[derive(Debug, Clone)]
pub struct Held {
    /// The message.
    pub message: Arc<Message>,
    /// Where it is.
    pub place: Place,
    /// From when it can be received.
    pub due: Timestamp,
    /// How often it has been received.
    pub receives: u64,
}

/// A message as a receiver gets it.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) handle: String,
    pub(crate) message: Arc<Message>,
    /// What SQS says about it itself.
    pub(crate) attributes: Vec<(&'static str, String)>,
}

impl Queue {
    pub(crate) fn new(spec: QueueSpec, keep: usize) -> Self {
        Self {
            state: Mutex::new(State::new(spec.retention)),
            spec,
            clock: QueueClock::default(),
            changed: watch::Sender::new(()),
            dead_letters: OnceLock::new(),
            is_dead_letters: AtomicBool::new(false),
            messages: Journal::new(keep),
            sent: AtomicU32::new(0),
        }
    }

    /// Names the queue that takes what is received too often.
    pub(crate) fn set_dead_letters(&self, queue: &Arc<Queue>) {
        // A second call would name the same one: it comes from the template.
        let _ = self.dead_letters.set(Arc::downgrade(queue));
        queue.is_dead_letters.store(true, Ordering::Relaxed);
    }

    /// Every message that was ever sent, also those that another queue gave up.
    pub fn messages(&self) -> &Journal<Message> {
        &self.messages
    }

    /// How many messages were sent since this was last asked. Those that another queue gave up are not counted.
    pub(crate) fn take_sent(&self) -> u32 {
        self.sent.swap(0, Ordering::Relaxed)
    }

    /// Sends a message, as anybody may who has the permission.
    ///
    /// # Errors
    /// If SQS would refuse it.
    pub fn send(&self, message: Message) -> Result<()> {
        Ok(self.try_send(message, None)?)
    }

    /// Sends a message after checking it, with the queue's own delay unless there is another.
    pub(crate) fn try_send(
        &self,
        message: Message,
        delay: Option<Duration>,
    ) -> Result<(), Rejection> {
        message.check(self.spec.maximum_bytes)?;
        let message = Arc::new(message);
        let delay = delay.unwrap_or(self.spec.delay);
        self.lock().send(self.clock.now(), message.clone(), delay);
        self.messages.push_shared(message);
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.changed.send_replace(());
        Ok(())
    }

    /// Receives up to `count` messages, waiting up to `wait` for the first.
    ///
    /// Dropping the future loses nothing: messages are taken in the step in which it ends.
    pub(crate) async fn receive(
        &self,
        count: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<Received>, Rejection> {
        let visibility = visibility.unwrap_or(self.spec.visibility_timeout);
        let end = Instant::now() + wait;
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let taken = self.take(count, visibility);
            if !taken.received.is_empty() {
                return Ok(self.received(taken));
            }
            // Who does not wait is told why there is nothing.
            if taken.over_limit && wait.is_zero() {
                return Err(Rejection::new(
                    RejectionKind::OverLimit,
                    "Too many messages in flight.",
                ));
            }
            let stir = self.stir(&mut changed);
            if tokio::time::timeout_at(end, stir).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    /// Deletes a received message. A handle that is out of date deletes nothing, and is no error.
    pub(crate) fn delete(&self, handle: &str) -> Result<(), Rejection> {
        let receipt = receipt_handle::read(&self.spec.name, handle)?;
        self.lock().delete(receipt);
        self.changed.send_replace(());
        Ok(())
    }

    /// Moves a received message to the dead-letter queue; without one it is gone.
    pub(crate) fn give_up(&self, handle: &str) -> Result<(), Rejection> {
        let receipt = receipt_handle::read(&self.spec.name, handle)?;
        let dead = self.lock().delete(receipt);
        self.bury_all(dead);
        self.changed.send_replace(());
        Ok(())
    }

    /// Gives a received message back after `visibility`.
    pub(crate) fn change_visibility(
        &self,
        handle: &str,
        visibility: Duration,
    ) -> Result<(), Rejection> {
        let receipt = receipt_handle::read(&self.spec.name, handle)?;
        let now = self.clock.now();
        self.lock().change_visibility(now, receipt, visibility)?;
        self.changed.send_replace(());
        Ok(())
    }

    /// Waits until this much of the queue's time has passed.
    pub(crate) async fn passes(&self, span: Duration) {
        let end = self.clock.now() + clock::milliseconds(span);
        self.clock.reached(end).await;
    }

    fn take(&self, count: usize, visibility: Duration) -> Taken {
        let redrive = self.spec.redrive.as_ref();
        let maximum = redrive.map(|redrive| redrive.maximum_receives);
        let now = self.clock.now();
        let mut taken = self.lock().receive(now, count, visibility, maximum);
        let is_changed = !taken.received.is_empty() || !taken.dead.is_empty();
        self.bury_all(std::mem::take(&mut taken.dead));
        if is_changed {
            self.changed.send_replace(());
        }
        taken
    }

    fn bury_all(&self, dead: impl IntoIterator<Item = Stored>) {
        if let Some(queue) = self.dead_letters.get().and_then(Weak::upgrade) {
            for dead in dead {
                queue.bury(self, dead);
            }
        }
    }

    /// Takes in what another queue gave up, as old as it is there, however far a test has moved either's time.
    fn bury(&self, giver: &Queue, dead: Stored) {
        let message = dead.message.clone();
        let dead = Stored {
            sent_at: dead.sent_at + self.clock.ahead() - giver.clock.ahead(),
            ..dead
        };
        self.lock().bury(self.clock.now(), dead, &giver.spec.arn);
        self.messages.push_shared(message);
        self.changed.send_replace(());
    }

    fn received(&self, taken: Taken) -> Vec<Received> {
        let received = taken
            .received
            .into_iter()
            .map(|(receipt, stored)| Received {
                handle: receipt_handle::write(&self.spec.name, receipt),
                attributes: attributes(&stored),
                message: stored.message,
            });
        received.collect()
    }

    /// Waits until something may have become different.
    async fn stir(&self, changed: &mut watch::Receiver<()>) {
        let next = self.lock().next_due();
        let due = async {
            match next {
                Some(due) => self.clock.reached(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The sender is this queue's own, so the channel cannot be closed.
            _ = changed.changed() => {}
            () = due => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What SQS says about a message that is being received.
fn attributes(stored: &Stored) -> Vec<(&'static str, String)> {
    let first = stored.first_received_at.unwrap_or(stored.received_at);
    let mut attributes = vec![
        ("ApproximateReceiveCount", stored.receives.to_string()),
        ("SentTimestamp", stored.sent_at.to_string()),
        ("SenderId", "AIDALOCALLOCALLOCAL00".to_owned()),
        ("ApproximateFirstReceiveTimestamp", first.to_string()),
    ];
    let trace = stored.message.trace.clone();
    attributes.extend(trace.map(|trace| ("AWSTraceHeader", trace)));
    let group = stored.message.group.clone();
    attributes.extend(group.map(|group| ("MessageGroupId", group)));
    let source = stored.given_up_by.clone();
    attributes.extend(source.map(|source| ("DeadLetterQueueSourceArn", source)));
    attributes
}

#[cfg(test)]
pub(crate) mod tests;

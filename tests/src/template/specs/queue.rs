//! Queues.

use std::time::Duration;

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct QueueSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The queue's name.
    pub name: String,
    /// The queue's URL.
    pub url: String,
    /// The queue's ARN.
    pub arn: String,
    /// How long nobody else gets a received message.
    pub visibility_timeout: Duration,
    /// How long nobody gets a message that was sent.
    pub delay: Duration,
    /// How long a receiver waits for a message.
    pub receive_wait: Duration,
    /// How long a message is kept at most.
    pub retention: Duration,
    /// The largest message.
    pub maximum_bytes: usize,
    /// What becomes of messages that are received too often.
    pub redrive: Option<RedriveSpec>,
}

/// `RedrivePolicy`.
#[derive(Debug, Clone)]
pub struct RedriveSpec {
    /// The ARN of the queue for them.
    pub dead_letters: String,
    /// What was received so often is not received again.
    pub maximum_receives: u64,
}

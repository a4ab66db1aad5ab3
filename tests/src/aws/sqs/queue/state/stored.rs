//! A message in its queue, and what is said about it and about all of them.

use std::sync::Arc;

use crate::aws::sqs::queue::message::Message;

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
pub(crate) struct Stored {
    pub(crate) message: Arc<Message>,
    /// When it was sent, in milliseconds since 1970 as all that follow.
    pub(crate) sent_at: i64,
    /// When it came to this queue.
    pub(crate) arrived_at: i64,
    pub(crate) first_received_at: Option<i64>,
    pub(crate) received_at: i64,
    pub(crate) receives: u64,
    /// From when it can be received.
    pub(crate) due: i64,
    pub(crate) place: Place,
    /// The ARN of the queue that gave it up, if this is its dead-letter queue.
    pub(crate) given_up_by: Option<String>,
}

/// Which message, and which time that it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) arrival: u64,
    pub(crate) receive: u64,
}

/// What a receiver is given.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) received: Vec<(Receipt, Stored)>,
    /// Messages that were received too often, and are none of this queue's any more.
    pub(crate) dead: Vec<Stored>,
    /// Whether there are as many messages in flight as there can be.
    pub(crate) over_limit: bool,
}

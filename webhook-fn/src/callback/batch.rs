//! A batch of messages, and what it is handled with.

use shared::function::clock::Clock;

use super::event::Published;
use super::message::Message;
use super::recent::Recent;

/// An event and the message that it came in.
#[derive(Debug)]
pub struct Notice<'a> {
    /// The message.
    pub message: &'a Message,
    /// The event.
    pub published: Published<'a>,
}

/// What a batch is handled with.
#[derive(Debug)]
pub struct Batch<'a, O> {
    /// The tables, the queues and the receivers.
    pub outside: &'a O,
    /// What was learned of callback URLs just now.
    pub recent: &'a Recent,
    /// Whether notifications may go to this machine, over http too.
    pub allow_loopback: bool,
    /// The time.
    pub clock: Clock,
}

impl<O> Clone for Batch<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Batch<'_, O> {}

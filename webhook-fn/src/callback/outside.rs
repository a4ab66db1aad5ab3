//! What callback-fn deals with outside: the Instances table, the callback URLs, and where notifications go.

use jiff::{SignedDuration, Timestamp};
use shared::instance::Instance;
use shared::instance::callback_state::CallbackChange;
use shared::instance::id::InstanceId;
use shared::store::error::TableError;

use super::attempt::{Attempt, CallbackRequest};
use super::message::{Message, Retry};
use super::queues::QueueError;
use super::reason::Reason;
use super::waits_table::{Waiting, WaitingCursor, WaitingPage};

/// The tables, the queues and the receivers.
pub trait Outside {
    /// Reads an instance.
    fn instance(
        &self,
        id: InstanceId,
    ) -> impl Future<Output = Result<Option<Instance>, TableError>>;

    /// Notes how an instance's callback fares.
    fn note(
        &self,
        id: InstanceId,
        change: &CallbackChange,
    ) -> impl Future<Output = Result<(), TableError>>;

    /// Posts a notification.
    fn post(&self, request: CallbackRequest<'_>, now: Timestamp) -> impl Future<Output = Attempt>;

    /// Lets a notification wait for its next attempt.
    fn put_off(
        &self,
        message: &Message,
        id: InstanceId,
        retry: &Retry,
        reason: Reason,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), PassOnError>>;

    /// Moves a notification to the retry queue, without an attempt.
    fn divert(
        &self,
        message: &Message,
        id: InstanceId,
    ) -> impl Future<Output = Result<(), PassOnError>>;

    /// Puts a message where it ends that is not tried again.
    fn give_up(
        &self,
        message: &Message,
        reason: Reason,
    ) -> impl Future<Output = Result<(), PassOnError>>;

    /// A page of a shard's notifications that wait in the table and are due before `until`.
    fn due(
        &self,
        shard: u64,
        until: Timestamp,
        after: Option<WaitingCursor>,
    ) -> impl Future<Output = Result<WaitingPage, TableError>>;

    /// Puts a notification that waited in the table into the retry queue.
    fn release(
        &self,
        waiting: &Waiting,
        delay: SignedDuration,
    ) -> impl Future<Output = Result<(), PassOnError>>;

    /// Removes a notification from the table.
    fn remove(&self, waiting: &Waiting) -> impl Future<Output = Result<(), TableError>>;
}

/// A notification could not be put where it goes.
#[derive(Debug, thiserror::Error)]
pub enum PassOnError {
    /// Into a queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Into the table of those that wait.
    #[error(transparent)]
    Table(#[from] TableError),
}

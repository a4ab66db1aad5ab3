//! What callback-fn deals with outside: the Instances table, the callback URLs, and where notifications go.

use jiff::{SignedDuration, Timestamp};
use shared::callback::CallbackChange;
use shared::instance::Instance;
use shared::instance_id::InstanceId;
use shared::table::TableError;

use super::app::App;
use super::deliver::{self, Attempt, Request};
use super::message::{Message, Retry};
use super::queues::{QueueError, Queued};
use super::reason::Reason;
use super::schedule;
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
    fn post(&self, request: Request<'_>, now: Timestamp) -> impl Future<Output = Attempt>;

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

impl Outside for App {
    async fn instance(&self, id: InstanceId) -> Result<Option<Instance>, TableError> {
        self.instances.get(id).await
    }

    async fn note(&self, id: InstanceId, change: &CallbackChange) -> Result<(), TableError> {
        self.instances.note_callback(id, change).await
    }

    async fn post(&self, request: Request<'_>, now: Timestamp) -> Attempt {
        deliver::send(&self.http, request, now).await
    }

    async fn put_off(
        &self,
        message: &Message,
        id: InstanceId,
        retry: &Retry,
        reason: Reason,
        now: Timestamp,
    ) -> Result<(), PassOnError> {
        let delay = retry.due.duration_since(now);
        if schedule::waits_in_table(message, delay) {
            return Ok(self.waits.insert(message, id, retry, reason).await?);
        }
        let queued = Queued {
            instance_id: id,
            body: &message.body,
            attempts: retry.attempts,
            first_failure: Some(retry.first_failure),
            reason: Some(&reason.to_string()),
            delay,
        };
        Ok(self.queues.retry(&queued).await?)
    }

    async fn divert(&self, message: &Message, id: InstanceId) -> Result<(), PassOnError> {
        let queued = Queued {
            instance_id: id,
            body: &message.body,
            attempts: 0,
            first_failure: None,
            reason: None,
            delay: SignedDuration::ZERO,
        };
        Ok(self.queues.retry(&queued).await?)
    }

    async fn give_up(&self, message: &Message, reason: Reason) -> Result<(), PassOnError> {
        Ok(self.queues.give_up(message, reason).await?)
    }

    async fn due(
        &self,
        shard: u64,
        until: Timestamp,
        after: Option<WaitingCursor>,
    ) -> Result<WaitingPage, TableError> {
        self.waits.due(shard, until, after).await
    }

    async fn release(&self, waiting: &Waiting, delay: SignedDuration) -> Result<(), PassOnError> {
        let queued = Queued {
            instance_id: waiting.instance_id,
            body: &waiting.body,
            attempts: waiting.attempts,
            first_failure: Some(waiting.first_failure),
            reason: Some(&waiting.reason),
            delay,
        };
        Ok(self.queues.retry(&queued).await?)
    }

    async fn remove(&self, waiting: &Waiting) -> Result<(), TableError> {
        self.waits.remove(waiting).await
    }
}

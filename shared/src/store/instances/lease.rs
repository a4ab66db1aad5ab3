//! The lease of a poll.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, ReturnValue, ReturnValuesOnConditionCheckFailure,
};
use jiff::Timestamp;

use super::attributes::{SHARD, SHARD_NAME, number, time};
use super::update::send;
use super::{InstanceTable, from_item};
use crate::instance::Instance;
use crate::instance::health::Health;
use crate::instance::id::InstanceId;
use crate::instance::last_poll::LastPoll;
use crate::instance::stream::Stream;
use crate::store::error::TableError;
use crate::store::retry::write;

pub(super) const HOLDS_LEASE: &str = "leaseToken = :token";

/// The same, of an instance that nobody has changed since the lease was taken.
const HOLDS_LEASE_UNCHANGED: &str = "leaseToken = :token AND attribute_not_exists(changedAt)";

/// The right to poll an instance, until it is released or expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Of which instance.
    pub id: InstanceId,
    /// Random, so that nobody holds another's.
    pub token: String,
}

/// What a poll leaves behind when it gives the lease back.
#[derive(Debug, Clone, Copy)]
pub struct PollEnd<'a> {
    /// When the next poll is due.
    pub next_poll_at: Timestamp,
    /// How Close has answered.
    pub health: &'a Health,
    /// The counts, where Close was read.
    pub found: Option<&'a LastPoll>,
    /// How webhooks and polls stand, where webhooks are reconciled.
    pub stream: Option<&'a Stream>,
}

/// What became of the wish to poll an instance.
#[derive(Debug)]
pub enum Acquired {
    /// The lease is ours.
    Held(Box<Instance>),
    /// Another poll has it.
    ByAnother,
    /// There is no such instance, or it is not polled.
    NotPolled,
}

impl InstanceTable {
    /// Takes the lease of an instance and reads the instance, in one call. Idempotent: retry with the same token.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn acquire(
        &self,
        lease: &Lease,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Acquired, TableError> {
        let update = self.update(lease.id).update_expression(
            "SET leaseToken = :token, leaseExpiresAt = :expires REMOVE changedAt",
        );
        let update = update
            .condition_expression(
                "attribute_exists(#shard) AND (attribute_not_exists(leaseExpiresAt) OR leaseExpiresAt < :now OR leaseToken = :token)",
            )
            .expression_attribute_names(SHARD_NAME, SHARD)
            .expression_attribute_values(":token", AttributeValue::S(lease.token.clone()))
            .expression_attribute_values(":expires", time(expires))
            .expression_attribute_values(":now", time(now))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match write(|| update.clone().send()).await {
            Ok(output) => from_item(output.attributes.unwrap_or_default())
                .map(Box::new)
                .map(Acquired::Held),
            Err(error) => refusal(error),
        }
    }

    /// Stores the health of an instance that is suspended. The lease is kept.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when the instance was changed since the lease was taken, or the lease is no longer ours.
    pub async fn suspend(&self, lease: &Lease, health: &Health) -> Result<(), TableError> {
        let update = self
            .update(lease.id)
            .update_expression("SET health = :health")
            .condition_expression(HOLDS_LEASE_UNCHANGED)
            .expression_attribute_values(":health", serde_dynamo::to_attribute_value(health)?)
            .expression_attribute_values(":token", AttributeValue::S(lease.token.clone()));
        send(update).await
    }

    /// Gives the lease back, sets the next poll, and notes how this one ended. If the instance was changed meanwhile, the next
    /// poll is due at once and tells how Close answers what is there now.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when the lease is no longer ours.
    pub async fn release(&self, lease: &Lease, end: &PollEnd<'_>) -> Result<(), TableError> {
        let mut sets = vec!["nextPollAt = :next", "health = :health"];
        let mut update = self.update(lease.id);
        if let Some(found) = end.found {
            sets.push("lastPoll = :poll");
            let found = AttributeValue::S(found.to_json());
            update = update.expression_attribute_values(":poll", found);
        }
        if let Some(stream) = end.stream {
            sets.push("#stream = :stream");
            let stream = serde_dynamo::to_attribute_value(stream)?;
            update = update
                .expression_attribute_names("#stream", "stream")
                .expression_attribute_values(":stream", stream);
        }
        let sets = sets.join(", ");
        let update = update
            .update_expression(format!(
                "SET {sets} REMOVE leaseToken, leaseExpiresAt, dueSince"
            ))
            .condition_expression(HOLDS_LEASE_UNCHANGED)
            .expression_attribute_values(":next", time(end.next_poll_at))
            .expression_attribute_values(":health", serde_dynamo::to_attribute_value(end.health)?)
            .expression_attribute_values(":token", AttributeValue::S(lease.token.clone()));
        match send(update).await {
            Err(TableError::Conflict) => self.release_changed(lease).await,
            released => released,
        }
    }

    async fn release_changed(&self, lease: &Lease) -> Result<(), TableError> {
        let update = self
            .update(lease.id)
            .update_expression(
                "SET nextPollAt = changedAt REMOVE leaseToken, leaseExpiresAt, changedAt, dueSince",
            )
            .condition_expression(HOLDS_LEASE)
            .expression_attribute_values(":token", AttributeValue::S(lease.token.clone()));
        send(update).await
    }

    /// The part of a transaction that makes it fail unless the lease is still held.
    ///
    /// # Errors
    /// Never in practice: all that the check needs is given here.
    pub fn check_lease(&self, lease: &Lease) -> Result<ConditionCheck, TableError> {
        ConditionCheck::builder()
            .table_name(&self.name)
            .key("id", number(lease.id.into()))
            .condition_expression(HOLDS_LEASE)
            .expression_attribute_values(":token", AttributeValue::S(lease.token.clone()))
            .build()
            .map_err(|error| TableError::Malformed(error.to_string()))
    }
}

fn refusal(error: SdkError<UpdateItemError>) -> Result<Acquired, TableError> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
            let is_polled = refused.item().is_some_and(|item| item.contains_key(SHARD));
            Ok(if is_polled {
                Acquired::ByAnother
            } else {
                Acquired::NotPolled
            })
        }
        _ => Err(TableError::unavailable(error)),
    }
}

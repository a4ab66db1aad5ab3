//! The backfill of an instance.

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use jiff::Timestamp;

use super::InstanceTable;
use super::attributes::{SHARD, SHARD_NAME, number, time};
use super::lease::{HOLDS_LEASE, Lease};
use super::update::send;
use crate::instance::backfill::{Backfill, BackfillStatus};
use crate::instance::id::InstanceId;
use crate::store::error::TableError;

impl InstanceTable {
    /// Asks for a backfill, which the next poll begins, at once, or after one that runs.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when the instance is not polled, or another backfill of it is under way.
    pub async fn request_backfill(
        &self,
        id: InstanceId,
        backfill: &Backfill,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let update = self
            .update(id)
            .update_expression("SET backfill = :backfill, nextPollAt = :now, changedAt = :now")
            .condition_expression(
                "attribute_exists(#shard) AND (attribute_not_exists(backfill) OR backfill.#status <> :pending)",
            )
            .expression_attribute_names(SHARD_NAME, SHARD)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":backfill", serde_dynamo::to_attribute_value(backfill)?)
            .expression_attribute_values(":pending", serde_dynamo::to_attribute_value(BackfillStatus::Pending)?)
            .expression_attribute_values(":now", time(now));
        send(update).await
    }

    /// The part of a transaction that notes how far a backfill has come, unless the lease is lost or another backfill was
    /// asked for.
    ///
    /// # Errors
    /// When `backfill` cannot be written as an attribute.
    pub fn note_backfill(&self, lease: &Lease, backfill: &Backfill) -> Result<Update, TableError> {
        Update::builder()
            .table_name(&self.name)
            .key("id", number(lease.id.into()))
            .update_expression("SET backfill = :backfill")
            .condition_expression(format!("{HOLDS_LEASE} AND backfill.id = :id"))
            .expression_attribute_values(":backfill", serde_dynamo::to_attribute_value(backfill)?)
            .expression_attribute_values(":id", AttributeValue::S(backfill.id.clone()))
            .expression_attribute_values(":token", AttributeValue::S(lease.token.clone()))
            .build()
            .map_err(|error| TableError::Malformed(error.to_string()))
    }
}

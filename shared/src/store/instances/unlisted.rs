//! Instances that an earlier version has stored as not polled, and that this version polls.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::attributes::{SHARD, SHARD_NAME, number, shard, time, to_id};
use super::update::send;
use super::{InstancePage, InstanceTable, from_item};
use crate::instance::Instance;
use crate::instance::id::InstanceId;
use crate::store::error::TableError;

/// Instances that one page looks at.
const PAGE: i32 = 500;

impl InstanceTable {
    /// Those of the next instances behind `after` that are not in the index `due`, and the last that was looked at, if there may be
    /// more. The answer may be a moment old.
    ///
    /// An item that cannot be read is logged and left out, for no version polls it.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn unlisted(&self, after: Option<InstanceId>) -> Result<InstancePage, TableError> {
        let start = after.map(|id| [("id".to_owned(), number(id.into()))].into());
        let scan = self.client.scan().table_name(&self.name).limit(PAGE);
        let scan = scan
            .filter_expression("attribute_not_exists(#shard)")
            .expression_attribute_names(SHARD_NAME, SHARD)
            .set_exclusive_start_key(start);
        let output = scan.send().await.map_err(TableError::unavailable)?;
        let next = output.last_evaluated_key.as_ref().map(to_id).transpose()?;
        let items = output.items.unwrap_or_default();
        let read = |item| match from_item(item) {
            Ok(instance) => Some(instance),
            Err(error) => {
                tracing::warn!(%error, "an instance cannot be read");
                None
            }
        };
        let instances = items.into_iter().filter_map(read).collect();
        Ok(InstancePage { instances, next })
    }

    /// Puts an instance into the index `due`, due at once.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when the instance was changed since it was read, or is in the index.
    pub async fn enlist(&self, instance: &Instance, now: Timestamp) -> Result<(), TableError> {
        let update = self
            .update(instance.id)
            .update_expression("SET #shard = :shard, nextPollAt = :now")
            .condition_expression("version = :read AND attribute_not_exists(#shard)")
            .expression_attribute_names(SHARD_NAME, SHARD)
            .expression_attribute_values(":shard", shard(instance.id))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":read", AttributeValue::N(instance.version.to_string()));
        send(update).await
    }
}

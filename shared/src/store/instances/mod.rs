//! The Instances table: configuration, and when and by whom an instance is polled.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use self::attributes::{Item, NEXT_POLL_AT, SHARD, number, shard, time, to_id};
use self::update::{Assignments, send};
use crate::instance::Instance;
use crate::instance::health::Health;
use crate::instance::id::InstanceId;
use crate::store::error::TableError;
use crate::store::retry::write;

pub mod attributes;
pub mod backfill;
mod callback_state;
pub mod due;
pub mod lease;
mod subscription;
pub mod unlisted;
mod update;

/// What was read of these may be old when the instance is written.
const WRITTEN_BY_OTHERS: [&str; 5] = ["health", "lastPoll", "backfill", "stream", "callback"];

/// The index that finds an instance by its token.
const TOKEN_INDEX: &str = "token";

/// The Instances table.
#[derive(Debug, Clone)]
pub struct InstanceTable {
    client: Client,
    name: String,
}

/// A page of instances.
#[derive(Debug)]
pub struct InstancePage {
    /// The instances.
    pub instances: Vec<Instance>,
    /// The last of them, if there may be more.
    pub next: Option<InstanceId>,
}

impl InstanceTable {
    /// The table called `name`.
    pub fn new(config: &aws_types::SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(config),
            name,
        }
    }

    /// Stores a new instance. One that is polled is due at once.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when the id is taken.
    pub async fn insert(&self, instance: &Instance, is_polled: bool) -> Result<(), TableError> {
        let mut item: Item = serde_dynamo::to_item(instance)?;
        if is_polled {
            item.insert(SHARD.to_owned(), shard(instance.id));
            item.insert(NEXT_POLL_AT.to_owned(), time(instance.created_date));
        }
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(id)");
        write(|| put.clone().send())
            .await
            .map(drop)
            .map_err(|error| match error.as_service_error() {
                Some(service) if service.is_conditional_check_failed_exception() => {
                    TableError::Conflict
                }
                _ => TableError::unavailable(error),
            })
    }

    /// The instance, if there is one.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn get(&self, id: InstanceId) -> Result<Option<Instance>, TableError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("id", number(id.into()))
            .consistent_read(true);
        let output = get.send().await.map_err(TableError::unavailable)?;
        output.item.map(from_item).transpose()
    }

    /// The id of the instance whose token has this hash. The index is a moment behind the table.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn find_by_token(&self, token_hash: &str) -> Result<Option<InstanceId>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(TOKEN_INDEX)
            .limit(1);
        let query = query
            .key_condition_expression("tokenHash = :hash")
            .expression_attribute_values(":hash", AttributeValue::S(token_hash.to_owned()));
        let output = query.send().await.map_err(TableError::unavailable)?;
        output.items().first().map(to_id).transpose()
    }

    /// A page of at most `limit` instances in no order, from behind the instance `after`, and whether there are more.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn page(
        &self,
        after: Option<InstanceId>,
        limit: i32,
    ) -> Result<InstancePage, TableError> {
        let start = after.map(|id| HashMap::from([("id".to_owned(), number(id.into()))]));
        let scan = self.client.scan().table_name(&self.name).limit(limit);
        let scan = scan.set_exclusive_start_key(start).consistent_read(true);
        let output = scan.send().await.map_err(TableError::unavailable)?;
        let next = output.last_evaluated_key.as_ref().map(to_id).transpose()?;
        let items = output.items.unwrap_or_default();
        let instances = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(InstancePage { instances, next })
    }

    /// Stores an instance over the one that `instance` was made from, but for what the poller writes: its health begins
    /// anew, the counts of its last poll are removed, and its backfill stays as it is. One that is polled is due at once, and
    /// again after a poll that runs, which knows nothing of the change; the poll of one that no longer is polled ends at its
    /// next commit.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when it was changed since it was read, or is gone.
    pub async fn replace(
        &self,
        instance: &Instance,
        is_polled: bool,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let mut item: Item = serde_dynamo::to_item(instance)?;
        item.insert("version".to_owned(), number(instance.version + 1));
        let mut change = Assignments::default();
        item.remove("id");
        for name in WRITTEN_BY_OTHERS {
            item.remove(name);
        }
        for (name, value) in item {
            change.set(&name, value);
        }
        let health = instance.health.renewed();
        if health == Health::default() {
            change.remove("health");
        } else {
            change.set("health", serde_dynamo::to_attribute_value(health)?);
        }
        change.remove("lastPoll");
        if instance.subscription_id.is_none() {
            change.remove("subscriptionId");
        }
        if is_polled {
            change.poll_at(instance.id, now);
        } else {
            change.poll_no_more();
        }
        let update = change.apply(self.update(instance.id));
        let update = update
            .condition_expression("version = :read")
            .expression_attribute_values(":read", number(instance.version));
        send(update).await
    }

    /// Stores the token's hash of an instance, and the keys that were replaced with the token, over the instance that
    /// `instance` was made from. Polls and health stay as they are.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when the instance was changed since it was read, or is gone.
    pub async fn replace_token(&self, instance: &Instance) -> Result<(), TableError> {
        let keys = serde_dynamo::to_attribute_value(&instance.previous_callback_keys)?;
        let update = self
            .update(instance.id)
            .update_expression(
                "SET tokenHash = :hash, previousCallbackKeys = :keys, version = :next",
            )
            .condition_expression("version = :read")
            .expression_attribute_values(":hash", AttributeValue::S(instance.token_hash.clone()))
            .expression_attribute_values(":keys", keys)
            .expression_attribute_values(":next", number(instance.version + 1))
            .expression_attribute_values(":read", number(instance.version));
        send(update).await
    }

    /// Removes an instance.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn delete(&self, id: InstanceId) -> Result<(), TableError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key("id", number(id.into()));
        write(|| delete.clone().send())
            .await
            .map(drop)
            .map_err(TableError::unavailable)
    }

    fn update(&self, id: InstanceId) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .key("id", number(id.into()))
    }
}

fn from_item(item: Item) -> Result<Instance, TableError> {
    Ok(serde_dynamo::from_item(item)?)
}

//! The Instances table: configuration, and when and by whom an instance is polled.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, ReturnValue, ReturnValuesOnConditionCheckFailure, Update,
};
use jiff::Timestamp;

use crate::backfill::{Backfill, Status};
use crate::health::Health;
use crate::instance::Instance;
use crate::instance_id::InstanceId;
use crate::last_poll::LastPoll;
use crate::table::{TableError, write};

mod callback;

/// The sparse index of polled instances: an instance is in it while it has a `shard` and a `nextPollAt`.
const DUE_INDEX: &str = "due";

/// `shard` is a reserved word of DynamoDB's, so expressions name it by a placeholder.
const SHARD: &str = "shard";
const SHARD_NAME: &str = "#shard";

/// When the poll of an instance is due, the index's sort key.
const NEXT_POLL_AT: &str = "nextPollAt";

/// When an instance was last changed in a way that a poll which runs does not know of; gone with the next lease.
const CHANGED_AT: &str = "changedAt";

/// Since when an instance has been due, where it was dispatched and no poll of it has ended yet. It is in the index.
const DUE_SINCE: &str = "dueSince";

/// What was read of these may be old when the instance is written.
const WRITTEN_BY_OTHERS: [&str; 4] = ["health", "lastPoll", "backfill", "callback"];

/// Partitions of that index, so that no single one takes all writes. Ids are random, so their remainders spread.
pub const SHARDS: u64 = 16;

/// The index that finds an instance by its token.
const TOKEN_INDEX: &str = "token";

/// Instances on a page of the due index.
const DUE_PAGE: i32 = 500;

type Item = HashMap<String, AttributeValue>;

/// The Instances table.
#[derive(Debug, Clone)]
pub struct InstanceTable {
    client: Client,
    name: String,
}

/// An instance whose poll is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub id: InstanceId,
    /// When it is to be dispatched.
    pub next_poll_at: Timestamp,
    /// Since when it waits for its poll: longer, where it was dispatched before and that poll did not end.
    pub since: Timestamp,
}

/// Some of the instances whose poll is due.
#[derive(Debug)]
pub struct DuePage {
    /// The instances.
    pub due: Vec<Due>,
    /// Where to go on, if there may be more.
    pub next: Option<DueCursor>,
}

/// Where a page of due instances ended.
#[derive(Debug)]
pub struct DueCursor(Item);

/// Some instances.
#[derive(Debug)]
pub struct Page {
    /// The instances.
    pub instances: Vec<Instance>,
    /// The last of them, if there may be more.
    pub next: Option<InstanceId>,
}

/// The right to poll an instance, until it is released or expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Of which instance.
    pub id: InstanceId,
    /// Random, so that nobody holds another's.
    pub token: String,
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
            item.insert(SHARD.to_owned(), number(u64::from(instance.id) % SHARDS));
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
    pub async fn page(&self, after: Option<InstanceId>, limit: i32) -> Result<Page, TableError> {
        let start = after.map(|id| HashMap::from([("id".to_owned(), number(id.into()))]));
        let scan = self.client.scan().table_name(&self.name).limit(limit);
        let scan = scan.set_exclusive_start_key(start).consistent_read(true);
        let output = scan.send().await.map_err(TableError::unavailable)?;
        let next = output.last_evaluated_key.as_ref().map(to_id).transpose()?;
        let items = output.items.unwrap_or_default();
        let instances = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Page { instances, next })
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
        let mut change = Change::default();
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

    /// A page of the instances of a shard whose poll is due, longest first. The index is a little behind the table, so
    /// go on from the page before instead of asking anew.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn due(
        &self,
        shard: u64,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> Result<DuePage, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(DUE_INDEX)
            .limit(DUE_PAGE);
        let query = query
            .key_condition_expression("#shard = :shard AND nextPollAt <= :now")
            .expression_attribute_names(SHARD_NAME, SHARD)
            .expression_attribute_values(":shard", number(shard))
            .expression_attribute_values(":now", time(now))
            .set_exclusive_start_key(after.map(|DueCursor(key)| key));
        let output = query.send().await.map_err(TableError::unavailable)?;
        let due = output
            .items()
            .iter()
            .map(to_due)
            .collect::<Result<_, _>>()?;
        Ok(DuePage {
            due,
            next: output.last_evaluated_key.map(DueCursor),
        })
    }

    /// Moves a due instance's next poll, unless somebody else has moved it.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when somebody has.
    pub async fn defer(&self, due: Due, until: Timestamp) -> Result<(), TableError> {
        let update = self.update(due.id).update_expression(
            "SET nextPollAt = :until, dueSince = if_not_exists(dueSince, :read)",
        );
        let update = update
            .condition_expression("nextPollAt = :read")
            .expression_attribute_values(":until", time(until))
            .expression_attribute_values(":read", time(due.next_poll_at));
        send(update).await
    }

    /// Takes the lease of an instance and reads the instance, in one call. Whose answer was lost takes it again.
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
            .expression_attribute_values(":pending", serde_dynamo::to_attribute_value(Status::Pending)?)
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

    /// Gives the lease back, sets the next poll, and notes how Close has answered this one and, where there are some, its
    /// counts. If the instance was changed meanwhile, the next poll is due at once and tells how Close answers what is there
    /// now.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when the lease is no longer ours.
    pub async fn release(
        &self,
        lease: &Lease,
        next_poll_at: Timestamp,
        health: &Health,
        found: Option<&LastPoll>,
    ) -> Result<(), TableError> {
        let set = if found.is_some() {
            "SET nextPollAt = :next, health = :health, lastPoll = :poll"
        } else {
            "SET nextPollAt = :next, health = :health"
        };
        let mut update = self
            .update(lease.id)
            .update_expression(format!("{set} REMOVE leaseToken, leaseExpiresAt, dueSince"));
        if let Some(found) = found {
            update =
                update.expression_attribute_values(":poll", AttributeValue::S(found.to_json()));
        }
        let update = update
            .condition_expression(HOLDS_LEASE_UNCHANGED)
            .expression_attribute_values(":next", time(next_poll_at))
            .expression_attribute_values(":health", serde_dynamo::to_attribute_value(health)?)
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

    fn update(&self, id: InstanceId) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .key("id", number(id.into()))
    }
}

/// An update expression in the making. Every name goes by a placeholder, for many words are reserved.
#[derive(Default)]
struct Change {
    sets: Vec<String>,
    removes: Vec<String>,
    names: Vec<(String, String)>,
    values: Vec<(String, AttributeValue)>,
}

impl Change {
    fn poll_at(&mut self, id: InstanceId, now: Timestamp) {
        self.set(SHARD, number(u64::from(id) % SHARDS));
        for name in [NEXT_POLL_AT, CHANGED_AT] {
            self.set(name, time(now));
        }
        self.remove(DUE_SINCE);
    }

    fn poll_no_more(&mut self) {
        let lease = ["leaseToken", "leaseExpiresAt"];
        let times = [NEXT_POLL_AT, CHANGED_AT, DUE_SINCE];
        for name in [SHARD].into_iter().chain(times).chain(lease) {
            self.remove(name);
        }
    }

    fn set(&mut self, name: &str, value: AttributeValue) {
        let (name, value) = (self.name(name), self.value(value));
        self.sets.push(format!("{name} = {value}"));
    }

    fn add(&mut self, name: &str, number: i64) {
        let number = self.value(AttributeValue::N(number.to_string()));
        let (name, none) = (self.name(name), self.value(self::number(0)));
        let sum = format!("{name} = if_not_exists({name}, {none}) + {number}");
        self.sets.push(sum);
    }

    fn remove(&mut self, name: &str) {
        let name = self.name(name);
        self.removes.push(name);
    }

    /// Of a member of a map, each part goes by its own.
    fn name(&mut self, path: &str) -> String {
        let placeholder = |name: &str| {
            let placeholder = format!("#n{}", self.names.len());
            self.names.push((placeholder.clone(), name.to_owned()));
            placeholder
        };
        let placeholders: Vec<_> = path.split('.').map(placeholder).collect();
        placeholders.join(".")
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.push((placeholder.clone(), value));
        placeholder
    }

    fn apply(self, update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        let clause = |word: &str, parts: &[String]| {
            if parts.is_empty() {
                String::new()
            } else {
                format!("{word} {} ", parts.join(", "))
            }
        };
        let expression = clause("SET", &self.sets) + &clause("REMOVE", &self.removes);
        update
            .update_expression(expression.trim_end())
            .set_expression_attribute_names(Some(self.names.into_iter().collect()))
            .set_expression_attribute_values(Some(self.values.into_iter().collect()))
    }
}

const HOLDS_LEASE: &str = "leaseToken = :token";

/// The same, of an instance that nobody has changed since the lease was taken.
const HOLDS_LEASE_UNCHANGED: &str = "leaseToken = :token AND attribute_not_exists(changedAt)";

/// How long an instance that was dispatched waits to be dispatched again, should its poll never begin.
pub const DISPATCH_LEASE: Duration = Duration::from_mins(5);

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Times are kept as milliseconds since 1970, which sort as numbers.
fn time(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_millisecond().to_string())
}

fn from_item(item: Item) -> Result<Instance, TableError> {
    Ok(serde_dynamo::from_item(item)?)
}

fn to_id(item: &Item) -> Result<InstanceId, TableError> {
    let id = || u64::try_from(integer(item, "id")?).ok()?.try_into().ok();
    id().ok_or_else(|| TableError::Malformed("an instance has no id".to_owned()))
}

fn to_due(item: &Item) -> Result<Due, TableError> {
    let time = |key| Timestamp::from_millisecond(integer(item, key)?).ok();
    let next_poll_at = time(NEXT_POLL_AT).ok_or_else(|| {
        TableError::Malformed("an entry of the index `due` has no nextPollAt".to_owned())
    })?;
    Ok(Due {
        id: to_id(item)?,
        next_poll_at,
        since: time(DUE_SINCE).unwrap_or(next_poll_at),
    })
}

fn integer(item: &Item, key: &str) -> Option<i64> {
    item.get(key)?.as_n().ok()?.parse().ok()
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

async fn send(update: UpdateItemFluentBuilder) -> Result<(), TableError> {
    let result = write(|| update.clone().send()).await.map(drop);
    result.map_err(|error| match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => TableError::Conflict,
        _ => TableError::unavailable(error),
    })
}

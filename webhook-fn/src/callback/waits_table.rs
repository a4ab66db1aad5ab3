//! The `CallbackWaits` table: notifications whose next attempt is further away than a queue can keep a message back.
//!
//! Why they do not wait in a queue is in ARCHITECTURE.md, "Callbacks".
//!
//! The sort key begins with the time, so that one query finds what is due. An item has at most 400 KB, and an event may have
//! 1 MB: what does not fit stands in items of its own, written before and removed after the first.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shared::instance::id::InstanceId;
use shared::store::error::TableError;

use super::message::{Message, Retry};
use super::reason::Reason;

/// Partitions, so that no single one takes all writes.
pub const SHARDS: u64 = 16;
/// Of a notification, in one item. DynamoDB counts names and numbers too. Source: docs.aws.amazon.com/amazondynamodb,
/// "Constraints in Amazon DynamoDB", "Item size".
const MAX_PART: usize = 380_000;
/// Parts whose first item is gone are of no use. They are removed in the end, should nobody have done so.
const PARTS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);

type Item = HashMap<String, AttributeValue>;

/// The table.
#[derive(Debug, Clone)]
pub struct WaitsTable {
    client: Client,
    name: String,
}

/// A notification that waits. Times are stored as milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    shard: u64,
    due: String,
    /// Whose.
    pub instance_id: InstanceId,
    /// The event, as it came.
    pub body: String,
    /// In how many further items the body goes on.
    #[serde(default)]
    parts: usize,
    /// How many attempts have failed.
    pub attempts: u32,
    /// When the first failed.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub first_failure: Timestamp,
    /// How the last failed.
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    shard: u64,
    due: String,
    body: String,
    /// In seconds since 1970, as DynamoDB's TTL wants them.
    #[serde(with = "jiff::fmt::serde::timestamp::second::required")]
    expires_at: Timestamp,
}

/// Some of the notifications that are due.
#[derive(Debug)]
pub struct WaitingPage {
    /// The notifications, the one that has been due longest first.
    pub waiting: Vec<Waiting>,
    /// The keys of items that cannot be read.
    pub unreadable: Vec<String>,
    /// Where to go on, if there may be more.
    pub next: Option<WaitingCursor>,
}

/// Where a page ended.
#[derive(Debug)]
pub struct WaitingCursor(Item);

impl Waiting {
    /// When its next attempt is due, if the key says so.
    pub fn due(&self) -> Option<Timestamp> {
        time_of(&self.due)
    }
}

impl WaitsTable {
    /// The table called `name`.
    pub fn new(config: &SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(config),
            name,
        }
    }

    /// Stores a notification until its next attempt.
    ///
    /// # Errors
    /// When the table does not answer: then the notification does not wait.
    pub async fn insert(
        &self,
        message: &Message,
        instance_id: InstanceId,
        retry: &Retry,
        reason: Reason,
    ) -> Result<(), TableError> {
        let shard = fastrand::u64(..SHARDS);
        let due = format!("{}#{}", sort_key(retry.due), message.id);
        let mut bodies = split(&message.body);
        let body = bodies.remove(0).to_owned();
        let expires_at = retry.due.saturating_add(PARTS_KEPT_FOR);
        let expires_at = expires_at.unwrap_or(retry.due);
        for (number, body) in bodies.iter().enumerate() {
            let part = Part {
                shard,
                due: part_key(&due, number),
                body: (*body).to_owned(),
                expires_at,
            };
            self.put(&part).await?;
        }
        let waiting = Waiting {
            shard,
            due,
            instance_id,
            body,
            parts: bodies.len(),
            attempts: retry.attempts,
            first_failure: retry.first_failure,
            reason: reason.to_string(),
        };
        self.put(&waiting).await
    }

    /// A page of a shard's notifications that are due before `until`.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn due(
        &self,
        shard: u64,
        until: Timestamp,
        after: Option<WaitingCursor>,
    ) -> Result<WaitingPage, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#shard = :shard AND due < :until")
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":shard", AttributeValue::N(shard.to_string()))
            .expression_attribute_values(":until", AttributeValue::S(sort_key(until)))
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|WaitingCursor(key)| key));
        let output = query.send().await.map_err(TableError::unavailable)?;
        let mut page = WaitingPage {
            waiting: Vec::new(),
            unreadable: Vec::new(),
            next: output.last_evaluated_key.map(WaitingCursor),
        };
        for item in output.items.unwrap_or_default() {
            let due = item.get("due").and_then(|due| due.as_s().ok()).cloned();
            match self.read(item).await {
                Ok(waiting) => page.waiting.push(waiting),
                // It must not keep back what is due after it.
                Err(TableError::Malformed(_)) => page.unreadable.push(due.unwrap_or_default()),
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// Removes a notification that waits no more.
    ///
    /// # Errors
    /// When the table does not answer: then the notification is found again.
    pub async fn remove(&self, waiting: &Waiting) -> Result<(), TableError> {
        let parts = (0..waiting.parts).map(|number| part_key(&waiting.due, number));
        for due in std::iter::once(waiting.due.clone()).chain(parts) {
            let delete = self.client.delete_item().table_name(&self.name);
            let delete = delete.set_key(Some(key(waiting.shard, due)));
            delete.send().await.map_err(TableError::unavailable)?;
        }
        Ok(())
    }

    /// A notification with all its parts.
    async fn read(&self, item: Item) -> Result<Waiting, TableError> {
        let mut head: Waiting = serde_dynamo::from_item(item)?;
        let has_no_time = || TableError::Malformed(format!("`{}` has no time", head.due));
        head.due().ok_or_else(has_no_time)?;
        for number in 0..head.parts {
            let due = part_key(&head.due, number);
            let get = self
                .client
                .get_item()
                .table_name(&self.name)
                .consistent_read(true);
            let get = get.set_key(Some(key(head.shard, due.clone())));
            let output = get.send().await.map_err(TableError::unavailable)?;
            let item = output.item;
            let item = item.ok_or_else(|| TableError::Malformed(format!("`{due}` is missing")))?;
            let part: Part = serde_dynamo::from_item(item)?;
            head.body.push_str(&part.body);
        }
        Ok(head)
    }

    async fn put(&self, item: &impl Serialize) -> Result<(), TableError> {
        let put = self.client.put_item().table_name(&self.name);
        let put = put.set_item(Some(serde_dynamo::to_item(item)?));
        put.send().await.map(drop).map_err(TableError::unavailable)
    }
}

fn key(shard: u64, due: String) -> Item {
    HashMap::from([
        ("shard".to_owned(), AttributeValue::N(shard.to_string())),
        ("due".to_owned(), AttributeValue::S(due)),
    ])
}

/// Milliseconds in 13 digits, which sort as texts until the year 2286.
fn sort_key(time: Timestamp) -> String {
    format!("{:013}", time.as_millisecond())
}

/// The time that a sort key begins with.
pub fn time_of(due: &str) -> Option<Timestamp> {
    let (millis, _) = due.split_once('#')?;
    Timestamp::from_millisecond(millis.parse().ok()?).ok()
}

/// Sorts behind all times, so that no query of what is due finds it.
fn part_key(due: &str, number: usize) -> String {
    format!("part#{due}#{number}")
}

/// At least one part, each as long as an item may be.
fn split(mut body: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while MAX_PART < body.len() {
        let (part, rest) = body.split_at(body.floor_char_boundary(MAX_PART));
        parts.push(part);
        body = rest;
    }
    parts.push(body);
    parts
}

#[cfg(test)]
mod tests {
    use super::{MAX_PART, part_key, sort_key, split};

    #[test]
    fn a_long_body_is_split_between_characters() {
        assert_eq!(split(""), [""]);
        assert_eq!(split("short"), ["short"]);
        let long = format!("x{}", "\u{e9}".repeat(MAX_PART));
        let parts = split(&long);
        let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [MAX_PART - 1, MAX_PART, 2]);
        assert_eq!(parts.concat(), long);
    }

    #[test]
    fn keys_sort_by_time_and_parts_behind_all_times() {
        let key = |text: &str| sort_key(text.parse().unwrap());
        let (early, late) = (key("2001-09-09T01:46:39Z"), key("2286-11-20T17:46:39Z"));
        assert!(early < key("2026-06-19T12:00:00Z"));
        assert!(late < part_key(&early, 0));
    }
}

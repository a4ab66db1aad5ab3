//! The Watermarks table: per instance and resource how far polling has come, and what it has published lately.
//!
//! A watermark's sort key is its resource's name; the chunks of its `seen` stand beside it as `{resource}#seen#{n}`, so
//! that one query reads all of an instance and one transaction commits a unit of work.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, DeleteRequest, Put, TransactWriteItem, Update, WriteRequest,
};
use std::collections::HashMap;

use crate::instance::backfill::Backfill;
use crate::instance::id::InstanceId;
use crate::store::batch::write_all;
use crate::store::error::TableError;
use crate::store::instances::InstanceTable;
use crate::store::instances::lease::Lease;
use crate::store::retry::{transact, write};

/// Divides a resource's name from the number of its chunk.
const SEEN: &str = "#seen#";
/// The attributes of [`StoredPosition::floor`], [`StoredPosition::overlap`] and [`StoredPosition::first_window_end`].
const FLOOR: &str = "readFrom";
const OVERLAP: &str = "overlap";
const FIRST_WINDOW_END: &str = "firstWindowEnd";
/// The sort key of an instance's schemas of custom fields, and the attribute that has them. The item has a position as well,
/// so that a version which does not know it can read it, and removes it as what is left of a backfill.
pub const CUSTOM_FIELDS: &str = "#fields";
const FIELDS: &str = "customFields";

type Item = HashMap<String, AttributeValue>;

/// The Watermarks table.
#[derive(Debug, Clone)]
pub struct WatermarkTable {
    client: Client,
    name: String,
}

/// What is stored of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredResource {
    /// The watermark, once there is one.
    pub position: Option<StoredPosition>,
    /// The chunks of `seen` by number.
    pub chunks: Vec<(u32, Vec<u8>)>,
    /// The JSON of the schemas of custom fields, which stand beside the resources.
    pub fields: Option<String>,
}

/// Instants, in microseconds since 1970, and a duration, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPosition {
    /// The largest `date_updated` that was read and handled.
    pub watermark: i64,
    /// Where polling began; what is dated before was never ours to publish.
    pub start: i64,
    /// What is dated before is not read again, although it lies within the overlap.
    pub floor: Option<i64>,
    /// How long before the watermark the next poll reads again, at least.
    pub overlap: Option<i64>,
    /// Where the next poll's first window ends, if the last poll was interrupted within one.
    pub first_window_end: Option<i64>,
}

/// What a unit of work changes, all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Which resource.
    pub resource: String,
    /// Its new position.
    pub position: StoredPosition,
    /// Chunks of `seen` that are new or changed.
    pub put_chunks: Vec<(u32, Vec<u8>)>,
    /// Chunks that nobody needs any more.
    pub delete_chunks: Vec<u32>,
    /// How far a backfill has come, where it is its watermark.
    pub backfill: Option<Backfill>,
    /// The JSON of the schemas of custom fields, where these are stored.
    pub fields: Option<String>,
}

impl StoredPosition {
    /// The attributes that an item has or has not.
    fn optional(&self) -> [(&'static str, Option<i64>); 3] {
        [
            (FLOOR, self.floor),
            (OVERLAP, self.overlap),
            (FIRST_WINDOW_END, self.first_window_end),
        ]
    }
}

impl WatermarkTable {
    /// The table called `name`.
    pub fn new(config: &aws_types::SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(config),
            name,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// All that is stored of an instance, by resource.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn load(
        &self,
        id: InstanceId,
    ) -> Result<HashMap<String, StoredResource>, TableError> {
        let mut resources: HashMap<String, StoredResource> = HashMap::new();
        for item in self.items(id).await? {
            let key = text(&item, "resource")?;
            match key.split_once(SEEN) {
                None => {
                    let stored = resources.entry(key.to_owned()).or_default();
                    stored.position = Some(to_position(&item)?);
                    let fields = item.get(FIELDS).and_then(|fields| fields.as_s().ok());
                    stored.fields = fields.cloned();
                }
                Some((resource, chunk)) => {
                    let chunk = chunk.parse().map_err(|_| malformed("resource"))?;
                    resources
                        .entry(resource.to_owned())
                        .or_default()
                        .chunks
                        .push((chunk, to_ids(&item)?));
                }
            }
        }
        Ok(resources)
    }

    /// Stores a unit of work, if the lease is still held.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when the lease is lost: nothing was stored, and the poll must stop.
    pub async fn commit(
        &self,
        instances: &InstanceTable,
        lease: &Lease,
        commit: &Commit,
    ) -> Result<(), TableError> {
        let held = TransactWriteItem::builder();
        let held = match &commit.backfill {
            None => held.condition_check(instances.check_lease(lease)?),
            Some(backfill) => held.update(instances.note_backfill(lease, backfill)?),
        };
        let mut items = vec![held.build()];
        items.push(
            TransactWriteItem::builder()
                .update(self.advance(lease.id, commit)?)
                .build(),
        );
        for (chunk, ids) in &commit.put_chunks {
            items.push(
                TransactWriteItem::builder()
                    .put(self.put_chunk(lease.id, commit, *chunk, ids)?)
                    .build(),
            );
        }
        for chunk in &commit.delete_chunks {
            items.push(
                TransactWriteItem::builder()
                    .delete(self.delete_chunk(lease.id, commit, *chunk)?)
                    .build(),
            );
        }
        let transaction = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items));
        transact(|| transaction.clone().send()).await.map(drop)
    }

    /// Removes all that is stored of an instance.
    ///
    /// # Errors
    /// When the table does not answer; some may be removed by then, so call again.
    pub async fn delete_all(&self, id: InstanceId) -> Result<(), TableError> {
        let items = self.items(id).await?;
        let requests = items.iter().map(|item| to_delete_request(id, item));
        let requests = requests.collect::<Result<Vec<_>, _>>()?;
        write_all(&self.client, &self.name, &requests).await
    }

    /// Removes what is stored of one resource: its chunks first, so that what is left by a failure is found again.
    ///
    /// # Errors
    /// When the table does not answer; some may be removed by then, so call again.
    pub async fn forget(
        &self,
        id: InstanceId,
        resource: &str,
        stored: &StoredResource,
    ) -> Result<(), TableError> {
        let chunks = stored.chunks.iter();
        let keys = chunks.map(|(chunk, _)| chunk_key(resource, *chunk));
        for name in keys.chain([resource.to_owned()]) {
            let delete = self.client.delete_item().table_name(&self.name);
            let delete = delete.set_key(Some(key(id, &name)));
            write(|| delete.clone().send())
                .await
                .map_err(TableError::unavailable)?;
        }
        Ok(())
    }

    async fn items(&self, id: InstanceId) -> Result<Vec<Item>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true);
        let query = query
            .key_condition_expression("instanceId = :id")
            .expression_attribute_values(":id", AttributeValue::N(id.to_string()));
        query
            .into_paginator()
            .items()
            .send()
            .collect::<Result<_, _>>()
            .await
            .map_err(TableError::unavailable)
    }

    fn advance(&self, id: InstanceId, commit: &Commit) -> Result<Update, TableError> {
        let position = commit.position;
        let number = |micros: i64| AttributeValue::N(micros.to_string());
        // The lease makes this writer the only one; the condition keeps even a wrong one from moving back.
        let mut update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(key(id, &commit.resource)))
            .condition_expression("attribute_not_exists(watermark) OR watermark <= :watermark")
            .expression_attribute_values(":watermark", number(position.watermark))
            .expression_attribute_values(":start", number(position.start));
        let mut set = vec![
            "watermark = :watermark".to_owned(),
            "startedAt = if_not_exists(startedAt, :start)".to_owned(),
        ];
        if let Some(fields) = &commit.fields {
            set.push(format!("{FIELDS} = :{FIELDS}"));
            let fields = AttributeValue::S(fields.clone());
            update = update.expression_attribute_values(format!(":{FIELDS}"), fields);
        }
        let mut remove = Vec::new();
        for (name, value) in position.optional() {
            if let Some(value) = value {
                set.push(format!("{name} = :{name}"));
                update = update.expression_attribute_values(format!(":{name}"), number(value));
            } else {
                remove.push(name);
            }
        }
        let remove = match &remove[..] {
            [] => String::new(),
            names => format!(" REMOVE {}", names.join(", ")),
        };
        let update = update.update_expression(format!("SET {}{remove}", set.join(", ")));
        update
            .build()
            .map_err(|error| TableError::Malformed(error.to_string()))
    }

    fn put_chunk(
        &self,
        id: InstanceId,
        commit: &Commit,
        chunk: u32,
        ids: &[u8],
    ) -> Result<Put, TableError> {
        let mut item = key(id, &chunk_key(&commit.resource, chunk));
        item.insert("ids".to_owned(), AttributeValue::B(Blob::new(ids)));
        let put = Put::builder().table_name(&self.name).set_item(Some(item));
        put.build()
            .map_err(|error| TableError::Malformed(error.to_string()))
    }

    fn delete_chunk(
        &self,
        id: InstanceId,
        commit: &Commit,
        chunk: u32,
    ) -> Result<Delete, TableError> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key(id, &chunk_key(&commit.resource, chunk))));
        delete
            .build()
            .map_err(|error| TableError::Malformed(error.to_string()))
    }
}

fn key(id: InstanceId, resource: &str) -> Item {
    HashMap::from([
        ("instanceId".to_owned(), AttributeValue::N(id.to_string())),
        (
            "resource".to_owned(),
            AttributeValue::S(resource.to_owned()),
        ),
    ])
}

/// Zero-padded, so that the query returns chunks in their order.
fn chunk_key(resource: &str, chunk: u32) -> String {
    format!("{resource}{SEEN}{chunk:010}")
}

fn to_position(item: &Item) -> Result<StoredPosition, TableError> {
    let micros = |key: &'static str| {
        let number = item.get(key).and_then(|value| value.as_n().ok());
        number
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| malformed(key))
    };
    let optional = |key| item.contains_key(key).then(|| micros(key)).transpose();
    Ok(StoredPosition {
        watermark: micros("watermark")?,
        start: micros("startedAt")?,
        floor: optional(FLOOR)?,
        overlap: optional(OVERLAP)?,
        first_window_end: optional(FIRST_WINDOW_END)?,
    })
}

fn to_ids(item: &Item) -> Result<Vec<u8>, TableError> {
    let ids = item
        .get("ids")
        .and_then(|value| value.as_b().ok())
        .ok_or_else(|| malformed("ids"))?;
    Ok(ids.as_ref().to_vec())
}

fn to_delete_request(id: InstanceId, item: &Item) -> Result<WriteRequest, TableError> {
    let delete = DeleteRequest::builder()
        .set_key(Some(key(id, text(item, "resource")?)))
        .build();
    let delete = delete.map_err(|error| TableError::Malformed(error.to_string()))?;
    Ok(WriteRequest::builder().delete_request(delete).build())
}

fn text<'a>(item: &'a Item, key: &'static str) -> Result<&'a str, TableError> {
    item.get(key)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
        .ok_or_else(|| malformed(key))
}

fn malformed(key: &str) -> TableError {
    TableError::Malformed(format!("`{key}` is missing or of another kind"))
}

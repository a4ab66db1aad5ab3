//! The Ledger table: which events of webhooks are on the bus, so that a webhook that comes again publishes nothing.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, PutRequest, WriteRequest};
use jiff::{SignedDuration, Timestamp};

use crate::event::id::EventId;
use crate::store::error::TableError;

/// Close retries for 72 h; a week leaves room for a retry after a pause.
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

const KEY: &str = "eventId";
/// Seconds since 1970, after which DynamoDB removes the item.
const EXPIRES_AT: &str = "expiresAt";

/// The Ledger table.
#[derive(Debug, Clone)]
pub struct LedgerTable {
    client: Client,
    name: String,
}

impl LedgerTable {
    /// The table called `name`.
    pub fn new(config: &aws_types::SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(config),
            name,
        }
    }

    /// Which of the events, at most 100, are recorded.
    ///
    /// # Errors
    /// When the table does not answer, or not for all.
    pub async fn recorded(
        &self,
        ids: &[EventId],
        now: Timestamp,
    ) -> Result<HashSet<EventId>, TableError> {
        let keys = ids
            .iter()
            .map(|id| HashMap::from([(KEY.to_owned(), AttributeValue::S(id.to_string()))]))
            .collect();
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .build();
        let keys = keys.map_err(|error| TableError::Malformed(error.to_string()))?;
        let output = self
            .client
            .batch_get_item()
            .request_items(&self.name, keys)
            .send()
            .await;
        let output = output.map_err(TableError::unavailable)?;
        let items = output
            .responses
            .and_then(|mut tables| tables.remove(&self.name))
            .unwrap_or_default();
        // DynamoDB removes what has expired days later.
        let is_live = |item: &&HashMap<String, AttributeValue>| now.as_second() < expires_at(item);
        let recorded: HashSet<_> = items
            .iter()
            .filter(is_live)
            .filter_map(|item| item.get(KEY)?.as_s().ok())
            .collect();
        Ok(ids
            .iter()
            .filter(|id| recorded.contains(&id.to_string()))
            .copied()
            .collect())
    }

    /// Records events, at most 25.
    ///
    /// # Errors
    /// When the table does not answer, or not for all.
    pub async fn record(
        &self,
        ids: impl IntoIterator<Item = EventId>,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let expires_at = now
            .saturating_add(RETENTION)
            .unwrap_or(Timestamp::MAX)
            .as_second()
            .to_string();
        let put = |id: EventId| {
            let put = PutRequest::builder().item(KEY, AttributeValue::S(id.to_string()));
            let put = put
                .item(EXPIRES_AT, AttributeValue::N(expires_at.clone()))
                .build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        };
        let requests = ids.into_iter().map(put).collect::<Result<Vec<_>, _>>();
        let requests = requests.map_err(|error| TableError::Malformed(error.to_string()))?;
        if requests.is_empty() {
            return Ok(());
        }
        let output = self
            .client
            .batch_write_item()
            .request_items(&self.name, requests)
            .send()
            .await;
        let unprocessed = output
            .map_err(TableError::unavailable)?
            .unprocessed_items
            .unwrap_or_default();
        if unprocessed.is_empty() {
            Ok(())
        } else {
            Err(TableError::Unavailable("it was throttled".to_owned()))
        }
    }
}

fn expires_at(item: &HashMap<String, AttributeValue>) -> i64 {
    let number = item.get(EXPIRES_AT).and_then(|value| value.as_n().ok());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or(i64::MAX)
}

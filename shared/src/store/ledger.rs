//! The Ledger table: which changes are on the bus, whichever channel has published them.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, PutRequest, WriteRequest};
use jiff::{SignedDuration, Timestamp};

use crate::event::ledger_key::LedgerKey;
use crate::store::batch::write_all;
use crate::store::error::TableError;
use crate::store::retry::Patience;

/// Longer than Close's event log has an entry, which is 30 days, and than Close retries a delivery, which is 72 h.
const RETENTION: SignedDuration = SignedDuration::from_hours(33 * 24);

/// Keys in one `BatchGetItem`. Source: docs.aws.amazon.com/amazondynamodb, "`BatchGetItem`".
const MAX_READ: usize = 100;

/// The attribute that holds a [`LedgerKey`].
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

    /// The keys that are recorded.
    ///
    /// # Errors
    /// When the table does not answer, or not for all.
    pub async fn recorded(
        &self,
        keys: &HashSet<LedgerKey>,
        now: Timestamp,
    ) -> Result<HashSet<LedgerKey>, TableError> {
        let keys: Vec<_> = keys.iter().map(to_key).collect();
        let mut recorded = HashSet::new();
        for keys in keys.chunks(MAX_READ) {
            let items = self.read(keys).await?;
            // DynamoDB removes what has expired days later.
            let live = items
                .iter()
                .filter(|item| now.as_second() < expires_at(item));
            let found = live.filter_map(|item| item.get(KEY)?.as_s().ok());
            recorded.extend(found.map(|key| LedgerKey::stored(key)));
        }
        Ok(recorded)
    }

    /// Reads again the keys that DynamoDB did not process, because it throttles or the answer would be too large.
    async fn read(
        &self,
        keys: &[HashMap<String, AttributeValue>],
    ) -> Result<Vec<HashMap<String, AttributeValue>>, TableError> {
        let mut patience = Patience::default();
        let (mut keys, mut items) = (keys.to_vec(), Vec::new());
        loop {
            let request = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true)
                .build()
                .map_err(|error| TableError::Malformed(error.to_string()))?;
            let get = self.client.batch_get_item();
            let output = get.request_items(&self.name, request).send().await;
            let output = output.map_err(TableError::unavailable)?;
            let found = output.responses.and_then(|mut it| it.remove(&self.name));
            items.extend(found.unwrap_or_default());
            let rest = output
                .unprocessed_keys
                .and_then(|mut it| it.remove(&self.name));
            keys = rest.map(|rest| rest.keys).unwrap_or_default();
            if keys.is_empty() {
                return Ok(items);
            }
            if !patience.wait().await {
                return Err(TableError::unprocessed(keys.len()));
            }
        }
    }

    /// Records keys.
    ///
    /// # Errors
    /// When the table does not answer, or not for all. Some may be recorded by then.
    pub async fn record(
        &self,
        keys: &HashSet<LedgerKey>,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let expires_at = now
            .saturating_add(RETENTION)
            .unwrap_or(Timestamp::MAX)
            .as_second()
            .to_string();
        let put = |key: &LedgerKey| {
            let put = PutRequest::builder().set_item(Some(to_key(key)));
            let put = put
                .item(EXPIRES_AT, AttributeValue::N(expires_at.clone()))
                .build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        };
        let requests = keys.iter().map(put).collect::<Result<Vec<_>, _>>();
        let requests = requests.map_err(|error| TableError::Malformed(error.to_string()))?;
        write_all(&self.client, &self.name, &requests).await
    }
}

fn to_key(key: &LedgerKey) -> HashMap<String, AttributeValue> {
    HashMap::from([(KEY.to_owned(), AttributeValue::S(key.to_string()))])
}

fn expires_at(item: &HashMap<String, AttributeValue>) -> i64 {
    let number = item.get(EXPIRES_AT).and_then(|value| value.as_n().ok());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or(i64::MAX)
}

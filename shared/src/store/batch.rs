//! Writes of many items, each by itself.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::WriteRequest;

use crate::store::error::TableError;
use crate::store::retry::Patience;

/// Items in one `BatchWriteItem`. Source: docs.aws.amazon.com/amazondynamodb, "`BatchWriteItem`".
const MAX_BATCH: usize = 25;

/// Writes items. Repeats those that DynamoDB did not process, because it throttles or a transaction holds an item.
///
/// # Errors
/// When the table does not answer, or not for all. Some are written by then.
pub async fn write_all(
    client: &Client,
    table: &str,
    requests: &[WriteRequest],
) -> Result<(), TableError> {
    for batch in requests.chunks(MAX_BATCH) {
        write_batch(client, table, batch.to_vec()).await?;
    }
    Ok(())
}

async fn write_batch(
    client: &Client,
    table: &str,
    mut requests: Vec<WriteRequest>,
) -> Result<(), TableError> {
    let mut patience = Patience::default();
    loop {
        let write = client.batch_write_item().request_items(table, requests);
        let output = write.send().await.map_err(TableError::unavailable)?;
        requests = output
            .unprocessed_items
            .and_then(|mut tables| tables.remove(table))
            .unwrap_or_default();
        if requests.is_empty() {
            return Ok(());
        }
        if !patience.wait().await {
            return Err(TableError::unprocessed(requests.len()));
        }
    }
}

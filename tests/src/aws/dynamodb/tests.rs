//! The store through the real SDK.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, PutRequest, TransactWriteItem, WriteRequest};

use super::*;
use crate::control::fault::Failure;

async fn start() -> Result<(Store, Client)> {
    let table = TableSpec {
        logical_id: "Things".to_owned(),
        name: "local-Things".to_owned(),
        request: json!({
            "TableName": "local-Things",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        }),
        ttl_attribute: Some("expiresAt".to_owned()),
    };
    let store = Store::start(&[table], Arc::new(Access::of_the_account()), usize::MAX).await?;
    // The way of the functions: through the layer that counts and fails; without retries, to see each failure.
    let config = store.client().config().to_builder();
    let config = config
        .endpoint_url(store.url())
        .retry_config(RetryConfig::disabled());
    Ok((store, Client::from_conf(config.build())))
}

async fn put(client: &Client, id: u64) -> Result<(), String> {
    let put = client.put_item().table_name("local-Things");
    let put = put.item("id", AttributeValue::N(id.to_string()));
    let answer = put.send().await;
    answer.map(|_| ()).map_err(|error| match error.code() {
        Some(code) => code.to_owned(),
        None => "no answer".to_owned(),
    })
}

async fn exists(client: &Client, id: u64) -> Result<bool> {
    let get = client.get_item().table_name("local-Things");
    let get = get.key("id", AttributeValue::N(id.to_string()));
    Ok(get.send().await?.item.is_some())
}

#[tokio::test]
async fn calls_are_counted_by_operation_and_table() -> Result<()> {
    let (store, client) = start().await?;
    put(&client, 1).await.map_err(anyhow::Error::msg)?;
    assert!(exists(&client, 1).await?);
    assert!(exists(&store.client(), 1).await?, "and this is not counted");
    assert_eq!(store.count("PutItem", "Things"), 1);
    assert_eq!(store.count("GetItem", "Things"), 1);
    assert_eq!(store.table("Things")?, "local-Things");
    Ok(())
}

#[tokio::test]
async fn faults_hit_before_or_after_the_call_takes_effect() -> Result<()> {
    let (store, client) = start().await?;
    let puts = || Calls::of("PutItem").table("Things");
    store.fail(Fault::new(Failure::Throttled, puts()));
    store.fail(Fault::new(Failure::Internal, puts()).after_performing());
    store.fail(Fault::new(Failure::Disconnected, puts()));
    for (id, code, performed) in [
        (1, "ProvisionedThroughputExceededException", false),
        (2, "InternalServerError", true),
        (3, "no answer", false),
    ] {
        assert_eq!(put(&client, id).await, Err(code.to_owned()));
        assert_eq!(exists(&client, id).await?, performed, "{code}");
    }
    assert_eq!(put(&client, 4).await, Ok(()));
    Ok(())
}

#[tokio::test]
async fn a_held_call_has_taken_effect() -> Result<()> {
    let (store, client) = start().await?;
    let hold = store.hold(Calls::of("PutItem"));
    let background = tokio::spawn({
        let client = client.clone();
        async move { put(&client, 1).await }
    });
    hold.reached().await?;
    assert!(exists(&client, 1).await?);
    assert!(!background.is_finished());
    hold.release();
    assert_eq!(background.await?, Ok(()));
    Ok(())
}

fn item(id: u64) -> [(String, AttributeValue); 1] {
    [("id".to_owned(), AttributeValue::N(id.to_string()))]
}

/// A transaction that puts an item, or the code of its refusal.
async fn transact(client: &Client, id: u64) -> Result<(), String> {
    let put = Put::builder().table_name("local-Things");
    let put = put.set_item(Some(item(id).into())).build();
    let put = TransactWriteItem::builder().put(put.map_err(|error| error.to_string())?);
    let transaction = client.transact_write_items().transact_items(put.build());
    let answer = transaction.send().await;
    answer.map(|_| ()).map_err(|error| {
        let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) =
            error.as_service_error()
        else {
            return error.to_string();
        };
        let codes = canceled.cancellation_reasons().iter();
        codes.filter_map(|reason| reason.code()).collect()
    })
}

/// How many of the puts of a batch were not done.
async fn put_batch(client: &Client, id: u64) -> Result<usize> {
    let put = PutRequest::builder().set_item(Some(item(id).into()));
    let put = WriteRequest::builder().put_request(put.build()?).build();
    let batch = client.batch_write_item();
    let batch = batch.request_items("local-Things", vec![put]);
    let left = batch.send().await?.unprocessed_items.unwrap_or_default();
    Ok(left.into_values().flatten().count())
}

#[tokio::test]
async fn what_a_transaction_holds_nobody_else_writes() -> Result<()> {
    let (store, client) = start().await?;
    let hold = store.hold(Calls::of("TransactWriteItems"));
    let background = tokio::spawn({
        let client = client.clone();
        async move { transact(&client, 1).await }
    });
    hold.reached().await?;

    let conflict = || Err("TransactionConflictException".to_owned());
    assert_eq!(put(&client, 1).await, conflict());
    assert_eq!(
        transact(&client, 1).await,
        Err("TransactionConflict".to_owned())
    );
    assert_eq!(put_batch(&client, 1).await?, 1);
    assert!(exists(&client, 1).await?, "but it can be read");
    assert_eq!(put(&client, 2).await, Ok(()));
    assert_eq!(store.met().snapshot().len(), 3);

    hold.release();
    assert_eq!(background.await?, Ok(()));
    assert_eq!(put(&client, 1).await, Ok(()));
    assert_eq!(put_batch(&client, 1).await?, 0);
    store.meet_transaction(Calls::any().table("Things"), 1);
    assert!(exists(&client, 1).await?, "this writes nothing");
    assert_eq!(put(&client, 1).await, conflict());
    Ok(())
}

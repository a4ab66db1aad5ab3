//! The store through the real SDK.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::AttributeValue;

use super::*;
use crate::fault::Failure;

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

//! Instances that the previous version has stored.

use local_stack::close::data::change::Change;
use serde_json::json;

use super::{pause, published};
use crate::owner::Owner;
use crate::world::{World, ago};

#[tokio::test]
async fn an_instance_of_the_previous_version_is_found_by_a_tick_and_reconciled_from_an_hour_ago() {
    let world = World::start().await;
    let owner = Owner::subscribed(
        &world,
        json!({"event.objects": "lead", "event.webhook.settle": 0}),
    )
    .await;
    pause(&owner).await;
    forget(&world, owner.id).await;
    plant_unreadable(&world).await;
    let create = |seconds| {
        let change = Change::at(ago(seconds));
        world.organization.create_lead(json!({}), change).unwrap()
    };
    create(3_700);
    let lead = create(3_000);
    for dispatched in [0, 1] {
        let tick = world.stack.tick("PollerFunction").await.unwrap();
        assert_eq!(tick, json!({"dispatched": dispatched}));
    }
    owner.events(1).await;
    assert_eq!(published(&world), [(lead, true)]);
    world.finish().await;
}

/// Removes from the table what the previous version does not store.
async fn forget(world: &World, id: u64) {
    let store = world.stack.store();
    let update = store.client().update_item();
    let update = update.table_name(store.table("InstancesTable").unwrap());
    let update = update.key(
        "id",
        aws_sdk_dynamodb::types::AttributeValue::N(id.to_string()),
    );
    let update = update
        .update_expression("REMOVE #shard, nextPollAt, changedAt, reconciledFrom, #stream")
        .expression_attribute_names("#shard", "shard")
        .expression_attribute_names("#stream", "stream");
    update.send().await.unwrap();
}

/// Puts an item into the table that no version can read.
async fn plant_unreadable(world: &World) {
    let store = world.stack.store();
    let put = store.client().put_item();
    let put = put.table_name(store.table("InstancesTable").unwrap());
    let id = aws_sdk_dynamodb::types::AttributeValue::N("1".to_owned());
    put.item("id", id).send().await.unwrap();
}

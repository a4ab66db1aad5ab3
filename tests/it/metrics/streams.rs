//! What a reconciliation measures.

use local_stack::close::data::change::Change;
use serde_json::json;

use super::{assert_reached, is_reached};
use crate::functions::POLLER;
use crate::metric_lines::last;
use crate::owner::{Owner, set_attribute};
use crate::stream::{pause, reconciled, refuse_changes};
use crate::world::{PATIENCE, World, ago};

/// An instance whose subscription has delivered for an hour, as reconciliations have seen it.
async fn delivering(world: &World) -> Owner<'_> {
    let owner = reconciled(world, json!({"event.objects": "lead.created"})).await;
    world.poll(owner.id).await;
    let mut stream = owner.stored().await.unwrap().stream;
    stream.subscription.as_mut().unwrap().since = ago(3_600);
    let attribute = serde_dynamo::to_attribute_value(&stream).unwrap();
    set_attribute(world, owner.id, "stream", attribute).await;
    owner
}

fn create_leads(world: &World, count: usize) {
    let change = Change::at(ago(100));
    world.organization.create_leads(count, change).unwrap();
}

#[tokio::test]
async fn a_public_url_that_leads_nowhere_is_an_alarm_and_no_loss() {
    let nowhere = "http://127.0.0.1:9";
    let world = World::start_with(|builder| builder.parameter("PublicUrl", nowhere)).await;
    let owner = delivering(&world).await;
    create_leads(&world, 12);

    world.poll(owner.id).await;

    assert_eq!(owner.events(12).await.len(), 12);
    let line = last(&world, POLLER);
    assert_reached("DeliveriesMissedAlarm", [&line]);
    assert_eq!(line.value("EntriesReconciled"), Some(12.0));
    assert_eq!(line.value("DeliveriesMissed"), Some(12.0));
    assert_eq!(owner.shown().await["webhook"]["missed"], 12);
    world.finish().await;
}

#[tokio::test]
async fn webhooks_that_arrive_are_no_alarm() {
    let world = World::start().await;
    let owner = delivering(&world).await;
    create_leads(&world, 12);
    world.close.wait_until_delivered(PATIENCE).await.unwrap();

    world.poll(owner.id).await;

    let line = last(&world, POLLER);
    assert!(!is_reached("DeliveriesMissedAlarm", [&line]));
    assert_eq!(line.value("DeliveriesMissedPercent"), Some(0.0));
    assert_eq!(line.value("DeliveriesMissed"), None);
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_that_is_down_is_an_alarm_until_it_is_repaired() {
    let world = World::start().await;
    let owner = delivering(&world).await;
    pause(&owner).await;
    refuse_changes(&owner).await;
    create_leads(&world, 12);

    world.poll(owner.id).await;

    let line = last(&world, POLLER);
    assert_reached("SubscriptionsDownAlarm", [&line]);
    assert_eq!(line.value("DeliveriesMissedPercent"), None);
    assert_eq!(line.value("SubscriptionsRepaired"), None);
    world.close.clear_faults();
    world.poll(owner.id).await;
    let line = last(&world, POLLER);
    assert!(!is_reached("SubscriptionsDownAlarm", [&line]));
    assert_eq!(line.value("SubscriptionsRepaired"), Some(1.0));
    world.finish().await;
}

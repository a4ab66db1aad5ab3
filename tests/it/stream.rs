//! Webhooks reconciled with Close's event log: one stream, each change once.

mod backfilled;
mod kills;
mod ledger;
mod missed;
mod previous;
mod repaired;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use serde_json::{Value, json};

use crate::owner::{Owner, set_attribute};
use crate::world::{World, ago};

/// An instance that is subscribed at Close since an hour ago, and reconciled without delay. `more` is in its configuration.
pub(crate) async fn reconciled(world: &World, more: Value) -> Owner<'_> {
    let mut configuration = json!({"event.webhook.settle": 0});
    for (key, value) in more.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    let owner = Owner::subscribed(world, configuration).await;
    reconcile_from(world, owner.id, ago(3_600)).await;
    owner
}

/// Has an instance be reconciled from `start` on.
async fn reconcile_from(world: &World, id: u64, start: Timestamp) {
    let start = AttributeValue::S(start.to_string());
    let from = AttributeValue::M([("start".to_owned(), start)].into());
    set_attribute(world, id, "reconciledFrom", from).await;
}

/// Has Close pause the subscription of an instance, which drops what waits.
pub(crate) async fn pause(owner: &Owner<'_>) {
    let subscription = owner.subscription_id().await.unwrap();
    let organization = &owner.world.organization;
    organization
        .pause_webhook(&subscription, "backlog_limit")
        .unwrap();
}

/// Has Close refuse every change of the subscription of an instance. Returns its path at Close.
pub(crate) async fn refuse_changes(owner: &Owner<'_>) -> String {
    let path = format!("/webhook/{}/", owner.subscription_id().await.unwrap());
    let changes = RequestMatch::to(&path).method("PUT").times(100);
    owner.world.close.fail(changes, CloseFault::status(403));
    path
}

/// The members `objectId` and `reconciled` of each event on the bus.
fn published(world: &World) -> Vec<(String, bool)> {
    let details = world.details();
    let shown = |detail: &Value| {
        let id = detail["objectId"].as_str().unwrap().to_owned();
        (id, detail["reconciled"] == true)
    };
    details.iter().map(shown).collect()
}

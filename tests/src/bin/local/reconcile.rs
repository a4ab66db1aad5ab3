//! Reconciliations that do not wait for the schedule, which here ticks thirty times as often as on AWS.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use local_stack::aws::sdk;
use local_stack::stack::LocalStack;
use serde_json::json;
use shared::event::bus::{DEFAULT_MAX_BYTES, EventBus};
use shared::event::entry::PutEventsEntry;
use shared::instance::id::InstanceId;
use shared::store::instances::InstanceTable;
use tokio::time::{Instant, sleep};

use crate::options::TICK;

/// Between two reconciliations.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// Asks for polls, as anybody may who cannot wait for the schedule.
pub(crate) struct Polls(EventBus);

impl Polls {
    pub(crate) fn of(stack: &LocalStack) -> Result<Self> {
        let mut buses = stack.template().buses.iter();
        let bus = buses
            .next()
            .context("the template has no bus")?
            .name
            .clone();
        let config = sdk::config(&stack.bus().url())?;
        Ok(Self(EventBus::new(&config, bus, DEFAULT_MAX_BYTES)))
    }

    pub(crate) async fn request(&self, id: u64) {
        let request = json!({"instanceId": id});
        let (source, name) = ("closeio.poller", "poll.requested");
        let request = PutEventsEntry::new(source, name, jiff::Timestamp::UNIX_EPOCH, &request);
        self.0
            .publish_entries(&[request], Instant::now() + TICK)
            .await;
    }
}

/// Has an instance be reconciled again and again. Ends only with an error.
pub(crate) async fn often(stack: &LocalStack, id: u64) -> Result<Infallible> {
    let (store, polls) = (stack.store(), Polls::of(stack)?);
    let name = store.table("InstancesTable")?;
    let table = InstanceTable::new(&sdk::config(&store.url())?, name.clone());
    loop {
        sleep(INTERVAL).await;
        let stored = table.get(InstanceId::try_from(id)?).await?;
        let is_planned = |instance: &shared::instance::Instance| {
            instance.stream.next_reconciliation_at.is_some()
        };
        if stored.as_ref().is_some_and(is_planned) {
            let update = store.client().update_item().table_name(&name);
            let update = update
                .key("id", AttributeValue::N(id.to_string()))
                .update_expression("REMOVE #stream.nextReconciliationAt")
                .expression_attribute_names("#stream", "stream");
            update.send().await?;
        }
        polls.request(id).await;
    }
}

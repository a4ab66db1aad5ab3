//! What is noted of an instance's callback.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Change, InstanceTable, send, time};
use crate::callback::{CallbackChange, CallbackState, Circuit, Count};
use crate::instance_id::InstanceId;
use crate::table::TableError;

impl InstanceTable {
    /// Notes how an instance's callback fares. An instance that is gone stays so.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when there is no such instance; else when the table does not answer.
    pub async fn note_callback(
        &self,
        id: InstanceId,
        change: &CallbackChange,
    ) -> Result<(), TableError> {
        match self.change_callback(id, change).await {
            // One that is older than callbacks has nothing yet that could be changed.
            Err(TableError::Conflict) => {
                self.begin_callback(id).await?;
                self.change_callback(id, change).await
            }
            changed => changed,
        }
    }

    async fn change_callback(
        &self,
        id: InstanceId,
        change: &CallbackChange,
    ) -> Result<(), TableError> {
        let update = to_change(change).apply(self.update(id));
        send(update.condition_expression("attribute_exists(callback)")).await
    }

    async fn begin_callback(&self, id: InstanceId) -> Result<(), TableError> {
        let none = serde_dynamo::to_attribute_value(CallbackState::default())?;
        let update = self
            .update(id)
            .update_expression("SET callback = :none")
            .condition_expression("attribute_exists(id) AND attribute_not_exists(callback)")
            .expression_attribute_values(":none", none);
        send(update).await
    }
}

/// The members are changed one by one, for others change them at the same time.
fn to_change(of: &CallbackChange) -> Change {
    let mut change = Change::default();
    count(&mut change, of.waiting);
    if of.is_delivered {
        change.set("callback.lastSuccess", time(of.now));
    }
    if let Some(reason) = &of.failure {
        change.set("callback.lastFailure", time(of.now));
        change.set("callback.lastReason", AttributeValue::S(reason.clone()));
    }
    if let Some(url) = &of.gone_url {
        change.set("callback.goneUrl", AttributeValue::S(url.clone()));
    }
    match of.circuit {
        Circuit::Keep => {}
        Circuit::Open(until) => change.set("callback.openUntil", time(until)),
        Circuit::Close => change.remove("callback.openUntil"),
    }
    change
}

fn count(change: &mut Change, waiting: Count) {
    match waiting {
        Count::Add(0) => {}
        Count::Add(more) => change.add("callback.waiting", more),
        Count::Set(total) => {
            change.set("callback.waiting", AttributeValue::N(total.to_string()));
        }
    }
}

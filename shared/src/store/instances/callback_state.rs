//! What is noted of an instance's callback.

use aws_sdk_dynamodb::types::AttributeValue;

use super::InstanceTable;
use super::attributes::{number, time};
use super::update::{Assignments, send};
use crate::instance::callback_state::{CallbackChange, CallbackState, Count};
use crate::instance::id::InstanceId;
use crate::store::error::TableError;

/// The members that are about the callback URL.
const OF_THE_URL: [&str; 7] = [
    "lastSuccess",
    "lastFailure",
    "lastReason",
    "failingSince",
    "gone",
    "openUntil",
    "slowUntil",
];

impl InstanceTable {
    /// Notes how an instance's callback fares. An instance that is gone stays so.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when there is no such instance, or what is stored is no longer what the change was made from:
    /// fewer notifications wait, another URL was set, or a delivery was noted; else when the table does not answer.
    pub async fn note_callback(
        &self,
        id: InstanceId,
        change: &CallbackChange,
    ) -> Result<(), TableError> {
        match self.change_callback(id, change).await {
            // One that is older than callbacks has nothing yet that could be changed.
            Err(TableError::Conflict) if self.begin_callback(id).await? => {
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
        let update = update
            .condition_expression(condition(change))
            .expression_attribute_values(":since", number(change.since));
        let update = match change.waiting {
            Count::Add(less @ ..0) => update.expression_attribute_values(":fewer", integer(-less)),
            _ => update,
        };
        send(match change.open {
            Some(open) => update.expression_attribute_values(":failing", time(open.failing_since)),
            None => update,
        })
        .await
    }

    /// Returns whether there was none.
    async fn begin_callback(&self, id: InstanceId) -> Result<bool, TableError> {
        let none = serde_dynamo::to_attribute_value(CallbackState::default())?;
        let update = self
            .update(id)
            .update_expression("SET callback = :none")
            .condition_expression("attribute_exists(id) AND attribute_not_exists(callback)")
            .expression_attribute_values(":none", none);
        match send(update).await {
            Err(TableError::Conflict) => Ok(false),
            begun => begun.map(|()| true),
        }
    }
}

fn condition(change: &CallbackChange) -> String {
    let mut condition = "attribute_exists(callback) AND (attribute_not_exists(callbackSince) OR callbackSince = :since)".to_owned();
    if change.is_another_url {
        condition += " AND (attribute_not_exists(callback.since) OR callback.since <> :since)";
    }
    if let Count::Add(..0) = change.waiting {
        condition += " AND callback.waiting >= :fewer";
    }
    if change.open.is_some() {
        condition += " AND callback.failingSince = :failing";
    }
    condition
}

/// The members are changed one by one, for others change them at the same time.
fn to_change(of: &CallbackChange) -> Assignments {
    let mut change = Assignments::default();
    count(&mut change, of.waiting);
    let members = members(of);
    for (name, value) in &members {
        let path = format!("callback.{name}");
        match value {
            Some(value) => change.set(&path, value.clone()),
            None => change.remove(&path),
        }
    }
    if of.is_another_url {
        change.set("callback.since", number(of.since));
        let is_kept = |name: &&str| members.iter().all(|(changed, _)| changed != name);
        for name in OF_THE_URL.iter().copied().filter(is_kept) {
            change.remove(&format!("callback.{name}"));
        }
    }
    change
}

/// The members to set, with their values, and those to remove.
fn members(of: &CallbackChange) -> Vec<(&'static str, Option<AttributeValue>)> {
    let mut members = Vec::new();
    if of.is_delivered {
        members.push(("lastSuccess", Some(time(of.now))));
        members.push(("failingSince", None));
        members.push(("openUntil", None));
    }
    if let Some(failure) = &of.failure {
        members.push(("lastFailure", Some(time(of.now))));
        let reason = AttributeValue::S(failure.reason.clone());
        members.push(("lastReason", Some(reason)));
        if failure.is_first {
            members.push(("failingSince", Some(time(of.now))));
        }
    }
    if of.is_gone {
        members.push(("gone", Some(AttributeValue::Bool(true))));
    }
    if let Some(open) = of.open {
        members.push(("openUntil", Some(time(open.until))));
    }
    if let Some(until) = of.slow_until {
        members.push(("slowUntil", Some(time(until))));
    }
    members
}

fn count(change: &mut Assignments, waiting: Count) {
    match waiting {
        Count::Add(0) => {}
        Count::Add(more) => change.add("callback.waiting", more),
        Count::Set(total) => change.set("callback.waiting", integer(total)),
    }
}

fn integer(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

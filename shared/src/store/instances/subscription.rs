//! The repair of a subscription, stored by a poll.

use aws_sdk_dynamodb::types::AttributeValue;

use super::InstanceTable;
use super::attributes::number;
use super::lease::{HOLDS_LEASE, Lease};
use super::update::{Assignments, send};
use crate::instance::Instance;
use crate::store::error::TableError;

impl InstanceTable {
    /// Stores the subscription of an instance, with its keys and with what is to be removed at Close, over the instance that
    /// `instance` was made from.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when the lease is no longer ours, or the instance was changed since it was read.
    pub async fn replace_subscription(
        &self,
        lease: &Lease,
        instance: &Instance,
    ) -> Result<(), TableError> {
        let mut change = Assignments::default();
        let configuration = serde_dynamo::to_attribute_value(&instance.configuration)?;
        change.set("configuration", configuration);
        change.set(
            "previousKeys",
            serde_dynamo::to_attribute_value(&instance.previous_keys)?,
        );
        change.set(
            "formerSubscriptions",
            serde_dynamo::to_attribute_value(&instance.former_subscriptions)?,
        );
        match &instance.subscription_id {
            Some(id) => change.set("subscriptionId", AttributeValue::S(id.clone())),
            None => change.remove("subscriptionId"),
        }
        change.set("version", number(instance.version + 1));
        let update = change.apply(self.update(instance.id));
        let update = update
            .condition_expression(format!("{HOLDS_LEASE} AND version = :read"))
            .expression_attribute_values(":token", AttributeValue::S(lease.token.clone()))
            .expression_attribute_values(":read", number(instance.version));
        send(update).await
    }
}

//! Updates of one item.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::attributes::{CHANGED_AT, DUE_SINCE, NEXT_POLL_AT, SHARD, number, shard, time};
use crate::instance::id::InstanceId;
use crate::store::error::TableError;
use crate::store::retry::write;

/// An update expression in the making. Every name goes by a placeholder, for many words are reserved.
#[derive(Default)]
pub(super) struct Assignments {
    sets: Vec<String>,
    removes: Vec<String>,
    names: Vec<(String, String)>,
    values: Vec<(String, AttributeValue)>,
}

impl Assignments {
    pub(super) fn poll_at(&mut self, id: InstanceId, now: Timestamp) {
        self.set(SHARD, shard(id));
        for name in [NEXT_POLL_AT, CHANGED_AT] {
            self.set(name, time(now));
        }
        self.remove(DUE_SINCE);
    }

    pub(super) fn poll_no_more(&mut self) {
        let lease = ["leaseToken", "leaseExpiresAt"];
        let times = [NEXT_POLL_AT, CHANGED_AT, DUE_SINCE];
        for name in [SHARD].into_iter().chain(times).chain(lease) {
            self.remove(name);
        }
    }

    pub(super) fn set(&mut self, name: &str, value: AttributeValue) {
        let (name, value) = (self.name(name), self.value(value));
        self.sets.push(format!("{name} = {value}"));
    }

    pub(super) fn add(&mut self, name: &str, number: i64) {
        let number = self.value(AttributeValue::N(number.to_string()));
        let (name, none) = (self.name(name), self.value(self::number(0)));
        let sum = format!("{name} = if_not_exists({name}, {none}) + {number}");
        self.sets.push(sum);
    }

    pub(super) fn remove(&mut self, name: &str) {
        let name = self.name(name);
        self.removes.push(name);
    }

    /// Of a member of a map, each part goes by its own.
    fn name(&mut self, path: &str) -> String {
        let placeholder = |name: &str| {
            let placeholder = format!("#n{}", self.names.len());
            self.names.push((placeholder.clone(), name.to_owned()));
            placeholder
        };
        let placeholders: Vec<_> = path.split('.').map(placeholder).collect();
        placeholders.join(".")
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.push((placeholder.clone(), value));
        placeholder
    }

    pub(super) fn apply(self, update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        let clause = |word: &str, parts: &[String]| {
            if parts.is_empty() {
                String::new()
            } else {
                format!("{word} {} ", parts.join(", "))
            }
        };
        let expression = clause("SET", &self.sets) + &clause("REMOVE", &self.removes);
        update
            .update_expression(expression.trim_end())
            .set_expression_attribute_names(Some(self.names.into_iter().collect()))
            .set_expression_attribute_values(Some(self.values.into_iter().collect()))
    }
}

pub(super) async fn send(update: UpdateItemFluentBuilder) -> Result<(), TableError> {
    let result = write(|| update.clone().send()).await.map(drop);
    result.map_err(|error| match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => TableError::Conflict,
        _ => TableError::unavailable(error),
    })
}

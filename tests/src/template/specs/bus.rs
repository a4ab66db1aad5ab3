//! Event buses, their rules and their archives.

use std::time::Duration;

use serde_json::Value;

/// An event bus.
#[derive(Debug, Clone)]
pub struct BusSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The bus's name.
    pub name: String,
}

/// A rule on a bus.
#[derive(Debug, Clone)]
pub struct RuleSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The rule's ARN.
    pub arn: String,
    /// The name of its bus.
    pub bus: String,
    /// The event pattern, as JSON.
    pub pattern: Value,
    /// What it invokes.
    pub targets: Vec<TargetSpec>,
}

/// One target of a rule.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    /// The target's `Id`.
    pub id: String,
    /// The ARN of a function or a queue.
    pub arn: String,
    /// How often a failed delivery is tried again.
    pub maximum_retries: u64,
    /// An older event is given up.
    pub maximum_age: Duration,
    /// The ARN of the queue for what could not be delivered.
    pub dead_letters: Option<String>,
    /// A constant payload instead of the event.
    pub input: Option<String>,
}

/// An archive of a bus.
#[derive(Debug, Clone)]
pub struct ArchiveSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The name of its bus.
    pub bus: String,
    /// The pattern of the events that it keeps, as JSON.
    pub pattern: Value,
}

/// A bus may be given by name or ARN.
pub(crate) fn bus_name(name_or_arn: &str) -> &str {
    match name_or_arn.split_once(":event-bus/") {
        Some((_, name)) => name,
        None => name_or_arn,
    }
}

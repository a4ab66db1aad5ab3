//! A span of the past that is to be published once more, or for the first time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A backfill of an instance, and how far it has come. It has a watermark of its own; the resource's is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backfill {
    /// Random: one that was asked for later is another.
    pub id: String,
    /// Which of the instance's polled resources.
    pub resource: String,
    /// The earliest date to publish, inclusive.
    pub from: Timestamp,
    /// The latest, exclusive.
    pub to: Timestamp,
    /// When it was asked for.
    pub requested_date: Timestamp,
    /// Whether there is more to do.
    pub status: BackfillStatus,
    /// The largest date that was read and handled, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Timestamp>,
    /// Events on the bus.
    #[serde(default)]
    pub published: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a backfill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackfillStatus {
    /// It goes on with the next poll.
    Pending,
    /// Everything of its span was published.
    Done,
    /// It cannot be done.
    Failed,
}

impl Backfill {
    /// One that has not begun.
    pub fn new(id: &str, resource: &str, from: Timestamp, to: Timestamp, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            resource: resource.to_owned(),
            from,
            to,
            requested_date: now,
            status: BackfillStatus::Pending,
            position: None,
            published: 0,
            reason: None,
        }
    }

    /// Under which name its own watermark is kept. No resource is called so.
    pub fn watermark_name(&self) -> String {
        format!("#backfill#{}", self.id)
    }
}

//! What EventBridge takes.

use jiff::Timestamp;
use serde::Serialize;

/// `Source` of every event about a change, and the element's key.
pub const SOURCE: &str = "closeio";

/// A `PutEvents` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEventsEntry {
    /// Who publishes.
    pub source: &'static str,
    /// What a rule selects on first.
    pub detail_type: String,
    /// The change's own time.
    pub time: Timestamp,
    /// JSON.
    pub detail: String,
}

/// How an event carries what Close sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawForm {
    /// In `raw`, byte for byte.
    Json,
    /// In `rawText`: nothing in the detail is Close's JSON.
    Text,
    /// Not at all: `rawOmitted` says where to read it.
    Omitted,
}

impl PutEventsEntry {
    /// An entry of `value` as JSON.
    pub fn new(
        source: &'static str,
        detail_type: &str,
        time: Timestamp,
        value: &impl Serialize,
    ) -> Self {
        Self {
            source,
            detail_type: detail_type.to_owned(),
            time,
            detail: to_json(value),
        }
    }

    /// The entry's size as AWS counts it: 14 for `Time` and the UTF-8 bytes of the rest.
    /// Source: docs.aws.amazon.com/eventbridge, "Calculating PutEvents event entry size".
    pub fn size(&self) -> usize {
        14 + self.source.len() + self.detail_type.len() + self.detail.len()
    }
}

pub(super) fn to_json(value: &impl Serialize) -> String {
    #[expect(
        clippy::expect_used,
        reason = "strings, numbers and valid JSON always serialize"
    )]
    serde_json::to_string(value).expect("a detail serializes")
}
